"""A process whose changing calls meet a fate: those that write, make, rename or remove a file."""

import errno
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

CALLS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "link", "symlink", "write")


def arm(fatal: int, fate: str) -> Iterator[int]:
    """Let this process meet its fate at the changing call of that number; return the numbers that are left.

    fatal:  0 for none.
    fate:   `kill`, or the name of an error of the system (ENOSPC, EIO), which this call and every one after
            it raises.
    """
    numbers = itertools.count(1)
    for name in CALLS:
        setattr(os, name, _armed(getattr(os, name), numbers, fatal, fate))
    return numbers


def _armed(call: Callable[..., Any], numbers: Iterator[int], fatal: int, fate: str) -> Callable[..., Any]:
    def changed(*arguments: Any, **options: Any) -> Any:
        if arguments and arguments[0] in (1, 2):  # what it prints changes nothing
            return call(*arguments, **options)
        number = next(numbers)
        if fate == "kill" and number == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        if fate != "kill" and 0 < fatal <= number:
            code = getattr(errno, fate)
            raise OSError(code, os.strerror(code), str(arguments[0]))
        return call(*arguments, **options)

    return changed
