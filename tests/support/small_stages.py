"""Stages that take a moment, for tests of who runs them."""

import time
from dataclasses import dataclass

from artifacts.store import Artifact
from rnn_core.errors import DataError
from tasks.core.stage import StageContext, stage
from tasks.process import signals

STEPS = 20


@dataclass(frozen=True)
class Greeting:
    to: str = "Ana"


@stage(version=1, title=lambda config: config.to)
def greeting(context: StageContext, config: Greeting, **_inputs: Artifact) -> None:
    context.writer.write_text("greeting.txt", f"hello {config.to}")


@stage(version=1)
def reading(context: StageContext, _config: Greeting, *, greeting: Artifact) -> None:
    context.writer.write_text("read.txt", greeting.text("greeting.txt"))


@stage(version=1)
def counting(context: StageContext, config: Greeting, **_inputs: Artifact) -> None:
    """A second: long enough to be watched, or stopped."""
    for step in range(STEPS):
        signals.raise_if_requested("counting")
        context.progress(step + 1, STEPS, f"greeting {config.to}")
        time.sleep(0.05)
    context.writer.write_text("count.txt", str(STEPS))


@stage(version=1)
def refusing(_context: StageContext, _config: Greeting, **_inputs: Artifact) -> None:
    raise DataError("test.refused", "nobody is greeted", where="greeting.txt", fix="greet somebody")


@stage(version=1)
def stumbling(_context: StageContext, _config: Greeting, **_inputs: Artifact) -> None:
    raise ZeroDivisionError("nobody expected this")
