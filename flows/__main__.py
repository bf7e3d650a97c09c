"""The entry point of `namewright` and of `python -m flows`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, even while modules are imported."""
    try:
        from flows.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
