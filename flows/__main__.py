"""`namewright`, and `python -m flows`."""

import sys


def main() -> None:
    """Ctrl-C while the modules are still being imported is no occasion for a traceback."""
    try:
        from flows.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
