"""A real S3 protocol on loopback: moto in a process of its own, and a proxy that injects faults."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

BUCKET = "names"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def s3_environment(endpoint: str) -> dict[str, str]:
    """The variables by which every program finds this server."""
    return {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of a server with an empty bucket, `BUCKET`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _create_bucket(port, BUCKET)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _create_bucket(port: int, name: str) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("PUT", f"/{name}")
            assert connection.getresponse().status == 200
            return
        except ConnectionError:
            time.sleep(0.1)
    raise TimeoutError("moto did not start")


class Request(NamedTuple):
    """One that came through the proxy; number: from 1 on."""

    number: int
    method: str
    path: str


Fault = Callable[[Request], str]
"""What happens to a request: nothing, `lost` (done, and answered 500), `truncated`, `late`, or a status."""


class Proxy:
    """Forwards to a server, counts, and spoils what `fault` says."""

    def __init__(self, endpoint: str, fault: Fault = lambda _: "") -> None:
        self.fault = fault
        self.dropped_headers: tuple[str, ...] = ()  # of requests, in lower case
        self.alter: Callable[[dict[str, str]], object] = lambda _headers: None  # of an answer, in place
        self.error = b"<Error><Code>InternalError</Code><Message>It was injected.</Message></Error>"
        self.requests: list[Request] = []
        self.bytes: Counter[str] = Counter()
        self._upstream = endpoint.removeprefix("http://")
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.forward(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str = "") -> int:
        """How many requests came, of this method."""
        return sum(1 for request in self.requests if method in ("", request.method))

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._lock:
            request = Request(len(self.requests) + 1, handler.command, handler.path)
            self.requests.append(request)
        fault = self.fault(request)
        if fault == "late":
            time.sleep(1)
        if fault.isdigit():
            self._answer(handler, int(fault), {}, self.error)
            return
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        given = {k: v for k, v in handler.headers.items() if k.lower() not in self.dropped_headers}
        connection.request(handler.command, handler.path, body, given)
        answer = connection.getresponse()
        content = answer.read()
        with self._lock:
            self.bytes[handler.command] += len(body) + len(content)
        if fault == "lost":
            self._answer(handler, 500, {}, self.error)
            return
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        headers["Content-Length"] = (
            answer.getheader("Content-Length", "0") if handler.command == "HEAD" else str(len(content))
        )
        self.alter(headers)
        if fault == "truncated" and len(content) > 1:
            self._answer(handler, answer.status, headers, content[: len(content) // 2], closes=True)
        else:
            self._answer(handler, answer.status, headers, content)

    def _answer(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        content: bytes,
        closes: bool = False,
    ) -> None:
        handler.send_response_only(status)
        for name, value in (headers or {"Content-Length": str(len(content))}).items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)
        handler.close_connection = closes


_HOP = ("connection", "transfer-encoding", "content-length", "server", "date")


def in_environment(endpoint: str, cache: object) -> dict[str, str]:
    """The environment of a command on a machine of its own: this server, and a cache that no other has."""
    return {**os.environ, **s3_environment(endpoint), "NAMEWRIGHT_CACHE": str(cache)}
