"""A contestant alone in its process: the threads of one slow down what comes after it in the same process."""

import json
import os
import subprocess
import sys
from typing import Any


def result_of(module: str, contestant: str, cores: int, *words: str) -> Any:
    """What `python -m benchmarks.MODULE WORDS --alone CONTESTANT` prints as JSON, on so many cores."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *words, "--alone", contestant]
    environment = {**os.environ, "BENCHMARK_CORES": str(cores)}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
