"""The entry point of `namewright` and of `python -m flows`."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_EXIT_CODE = 128 + signal.SIGINT


def _end(_number: int, _frame: FrameType | None) -> None:
    """End at once: outside of a command nothing is to be saved, and an exception could surface anywhere."""
    os._exit(_EXIT_CODE)


def _on_sigint(handler: Callable[[int, FrameType | None], object]) -> None:
    if signal.getsignal(signal.SIGINT) in (_end, signal.default_int_handler):  # else somebody ignores it
        signal.signal(signal.SIGINT, handler)


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, whenever it comes."""
    from flows.cli import main as command

    try:
        _on_sigint(signal.default_int_handler)
        command()
    except KeyboardInterrupt:  # outside of what stops at a safe place
        sys.exit(_EXIT_CODE)
    finally:
        _on_sigint(_end)


_on_sigint(_end)

if __name__ == "__main__":
    main()
