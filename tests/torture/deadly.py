"""`python deadly.py NUMBER FATE WORDS…`: the command with these words, and its fate at that changing call.

A changing call is one that writes, makes, renames or removes a file. FATE is `kill`, or the name of an error
of the system (ENOSPC, EIO), which this call and every one after it raises. NUMBER 0 counts: the last line of
the errors is then how many calls there were.
"""

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

CALLS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "link", "symlink", "write")
_numbers = itertools.count(1)


def _armed(call: Callable[..., Any], fatal: int, fate: str) -> Callable[..., Any]:
    def changed(*arguments: Any, **options: Any) -> Any:
        if arguments and arguments[0] in (1, 2):  # what it prints changes nothing
            return call(*arguments, **options)
        number = next(_numbers)
        if fate == "kill" and number == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        if fate != "kill" and 0 < fatal <= number:
            code = getattr(errno, fate)
            raise OSError(code, os.strerror(code), str(arguments[0]))
        return call(*arguments, **options)

    return changed


def main() -> None:
    """Run the command."""
    fatal, fate, *words = sys.argv[1:]
    sys.argv[1:] = words
    from flows.__main__ import main as command

    for name in CALLS:
        setattr(os, name, _armed(getattr(os, name), int(fatal), fate))
    try:
        command()
    finally:
        if fatal == "0":
            print(f"\n{next(_numbers) - 1}", file=sys.stderr)


if __name__ == "__main__":
    main()
