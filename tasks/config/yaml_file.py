"""Reading a YAML file within bounds: it may come from elsewhere."""

import re
from pathlib import Path
from typing import Any

from artifacts.documents import MOST_DEPTH, check_bounds, open_file

_MOST_BYTES = 1 << 20
_DEEP = re.compile(rf"(?:[\[{{]\s*+){{{MOST_DEPTH}}}")


def read_yaml(file: Path) -> Any:
    """What a YAML file holds.

    Raises OSError, or ValueError, RecursionError or yaml.YAMLError if it is too large, too deep, or no YAML.
    """
    import yaml  # only deployments need it

    with open_file(file, follow_links=True) as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
    if _DEEP.search(text := content.decode()):  # over which PyYAML would take seconds
        raise RecursionError
    loaded = yaml.safe_load(text)
    check_bounds(loaded)  # which aliases may make deep, or huge
    return loaded
