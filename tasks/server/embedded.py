"""Prefect's server for one run: `python embedded.py PORT`.

Prefect can embed one itself, but imports the whole server a second time to do so (2 s), and leaves it
behind when the run is killed. This one ends with the process that started it: its standard input closes then.
"""

import gc
import os
import signal
import sys
import threading

_HOST = "127.0.0.1"


def main(port: int) -> None:
    """Serve Prefect's API on this port of the loopback interface until standard input closes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # 2,000 modules full of things that stay: collecting among them is a quarter of the start
    from tasks.server import defaults
    from tasks.server.guarded_prefect import guarded

    defaults.close_server(port)  # before Prefect reads its settings
    import uvicorn
    from prefect.server.api.server import create_app

    app = guarded(create_app(ephemeral=True, final=True), _HOST)
    gc.freeze()
    gc.enable()
    uvicorn.run(app, host=_HOST, port=port, log_level="error", lifespan="on")


def _end_with_parent() -> None:
    while os.read(0, 1):  # unbuffered: a buffer's lock, still held at exit, aborts the interpreter
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]))
