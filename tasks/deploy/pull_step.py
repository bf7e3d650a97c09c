"""The step by which a deployed run finds its site: its folder, or on another machine the options that it had.

A worker in a container has no folder of ours. Where the store is in a bucket it needs none: `deploy` puts
`pipeline.toml` and the variables of the site into the deployment, and this step gives them to the run.
"""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artifacts.bucket.address import CACHE_VARIABLE
from artifacts.documents import parse_json
from rnn_core.errors import ConfigError
from tasks.config.pipeline_file import DEFAULT
from tasks.config.site import ELSEWHERE_STEP, PULL_STEP
from tasks.config.site import VARIABLE as SITE
from tasks.config.store_id import VARIABLE as STORE_ID
from tasks.config.variables import PREFIX

_CONFIG, _STORE = f"{PREFIX}CONFIG", f"{PREFIX}STORE"
# Of the machine that deploys, and no option of the site; or given to a run in another way.
_OF_A_MACHINE = (
    CACHE_VARIABLE,
    f"{CACHE_VARIABLE}_SIZE",
    f"{PREFIX}WORKERS",
    _CONFIG,
    _STORE,
    SITE,
    STORE_ID,
)


def elsewhere_too(pull_step: Mapping[str, Any], store: str) -> Mapping[str, Any]:
    """The step that enters a folder, as one that does without it where it is not there.

    store:  the address of the store, in a bucket.

    Raises ConfigError if the pipeline file cannot be read.
    """
    if PULL_STEP not in pull_step:
        return pull_step
    file = Path(os.environ.get(_CONFIG) or DEFAULT)
    try:
        content = file.read_text(encoding="utf-8-sig") if _CONFIG in os.environ or file.exists() else ""
    except (OSError, ValueError) as refusal:
        fix = "check the file; it goes into the deployment."
        raise ConfigError("config.file", f"{refusal}", where=str(file), fix=fix) from refusal
    variables = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIX) and name not in _OF_A_MACHINE
    }
    options = {"file": content, "variables": {**variables, _STORE: store}}
    # Prefect fills in what is between two braces; JSON has another way to write one.
    text = json.dumps(options, ensure_ascii=False).replace("{{", "{\\u007b")
    return {ELSEWHERE_STEP: {**pull_step[PULL_STEP], "options": text}}


def enter_site(directory: str, options: str) -> dict[str, str]:
    """Enter the folder of the site; where it is not, an empty one, with the options that the site had.

    The variables of the machine win, and so does the pipeline file that NAMEWRIGHT_CONFIG names there.

    options:  as `elsewhere_too` writes them.
    """
    if not Path(directory).is_dir():
        site = parse_json(options)
        for name, value in site["variables"].items():
            os.environ.setdefault(name, value)
        directory = tempfile.mkdtemp(prefix="namewright-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        if site["file"]:
            Path(directory, DEFAULT).write_text(site["file"], encoding="utf-8")
    os.chdir(directory)
    return {"directory": directory}
