"""A place where Namewright runs by itself: a Prefect server, its worker, a short list of names."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from server_requests import posting_headers
from small_runs import COMMAND, CORPORA, FOREIGN

from tasks.server import background

if TYPE_CHECKING:
    from tasks.deploy.changes import Change

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
PATIENCE_SECONDS = 240.0
SITE = "namewright"

# The loops of a server and a worker are made for people, who have more time.
_HURRIED = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
_SMALL = {
    "NAMEWRIGHT_TRAINING_HIDDEN_SIZE": "8",
    "NAMEWRIGHT_TRAINING_EPOCHS": "1",
    "NAMEWRIGHT_EVALUATION_SAMPLE_NAMES": "50",
    "NAMEWRIGHT_SAMPLING_COUNT": "25",
}


@dataclass(frozen=True)
class Site:
    """environment: of every command and of the worker."""

    url: str
    folder: Path
    environment: Mapping[str, str]

    @property
    def names(self) -> Path:
        return self.folder / "dinosaurs.txt"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def checkout(self) -> Path:
        """As far as a site needs one; what a command writes there does no harm."""
        return self.folder / "checkout"

    def namewright(self, *arguments: str) -> str:
        """What the command prints, given in the checkout."""
        return self.command(COMMAND, *arguments)

    def command(self, *words: str | Path) -> str:
        with self.running(*words) as process:
            printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, printed
        return printed

    @contextmanager
    def running(self, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
        """Its output and errors are one stream."""
        with subprocess.Popen(
            words,
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            yield process

    def ask(self, path: str, body: Any = None) -> Any:
        """The API's answer; a POST if there is a body."""
        return json.loads(self.wait(lambda: self._answers(path, body))[0])

    def refusal(self, path: str, body: Any) -> str:
        """Why the API refuses this POST."""
        request = Request(f"{self.url}/{path}", json.dumps(body).encode(), posting_headers(self.url))
        with pytest.raises(HTTPError) as caught:
            urlopen(request, timeout=30)
        return caught.value.read().decode()

    def tell(self, path: str, body: Any) -> None:
        """What is to be changed there."""
        self.wait(lambda: self._answers(path, body, "PATCH"))

    def _answers(self, path: str, body: Any, method: str | None = None) -> list[bytes]:
        """Empty if the server is busy with itself: on SQLite everyone now and then waits for many writers."""
        content = None if body is None else json.dumps(body).encode()
        try:
            request = Request(f"{self.url}/{path}", content, posting_headers(self.url), method=method)
            with urlopen(request, timeout=30) as answer:
                return [answer.read()]
        except HTTPError as refusal:
            if refusal.code != 503:
                pytest.fail(f"{path}: {refusal.read().decode()}")
        except TimeoutError:
            pass
        return []

    def wait(self, what: Callable[[], Any]) -> Any:
        """Until it gives something."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not (found := what()):
            assert time.monotonic() < limit, "it does not happen"
            time.sleep(0.2)
        return found

    def start(self, deployment: str, **body: Any) -> str:
        """The id of a new run of it, which the worker takes."""
        found = self.ask(f"deployments/name/{deployment}/{SITE}-{deployment}")
        return str(self.ask(f"deployments/{found['id']}/create_flow_run", body)["id"])

    def form(self, deployment: str, parameter: str) -> Any:
        """The value of a parameter as the form of a run begins, with all of its fields."""
        schema = self.ask(f"deployments/name/{deployment}/{SITE}-{deployment}")["parameter_openapi_schema"]
        return schema["properties"][parameter]["default"]

    def run(self, run_id: str) -> Any:
        return self.ask(f"flow_runs/{run_id}")

    def ended(self, run_id: str) -> Any:
        """The run, once it has."""

        def over() -> Any:
            run = self.run(run_id)
            return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

        return self.wait(over)

    def runs(self, flow: str, *states: str) -> list[Any]:
        """In the order they began."""
        filters: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC"}
        if states:
            filters["flow_runs"] = {"state": {"type": {"any_": states}}}
        return list(self.ask("flow_runs/filter", filters))

    def still(self) -> None:
        """No schedule fires any more, and nothing that was deployed is due or going."""
        going = {
            "state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}},
            "deployment_id": {"is_null_": False},
        }

        def paused() -> bool:
            for deployment in self.ask("deployments/filter", {}):
                for schedule in deployment["schedules"]:
                    path = f"deployments/{deployment['id']}/schedules/{schedule['id']}"
                    self.tell(path, {"active": False})  # which also takes back what it has due later
            return not self.ask("flow_runs/filter", {"flow_runs": going})

        self.wait(paused)

    def stages(self, run_id: str) -> dict[str, str]:
        """The state of every task run, by its name, once all of them are known to have ended."""

        def over() -> dict[str, str]:
            found = self.ask("task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
            states = {run["name"]: run["state_name"] for run in found}
            return states if states and not {"Pending", "Running"} & set(states.values()) else {}

        return dict(self.wait(over))

    def events(self, name: str) -> list[Any]:
        return list(self.ask("events/filter", {"filter": {"event": {"name": [name]}}})["events"])


def apply_file(
    site: Site, folder: Path, content: str, name: str = SITE, *, take_over: bool = False
) -> "list[Change]":
    """The changes that `namewright deploy --site NAME` makes in this folder; quicker, without a process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from tasks.deploy import apply, deployment_file

    changes: list[Change] = []
    folder.mkdir(exist_ok=True)
    file = folder / "other.yaml"
    file.write_text(content)
    if not (folder / "flows").exists():
        (folder / "flows").symlink_to(ROOT / "flows")
    with (
        temporary_settings({PREFECT_API_URL: site.url}),
        contextlib.chdir(folder),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PWD", str(folder))
        patch.setenv("NAMEWRIGHT_SITE", name)
        for option, value in site.environment.items():  # the form shows what they set
            if option.startswith("NAMEWRIGHT_"):
                patch.setenv(option, value)
        deployments = deployment_file.load_deployments(file)
        apply.apply_deployments(deployments, changes.append, take_over, site.store)
    return changes


def remove_deployments(site: Site, *names: str) -> None:
    """Remove what these other sites deployed."""
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(site.url) as client:
        for deployment in client.read_deployments():
            if deployment.name.startswith(names):
                client.delete_resource_owned_automations(f"prefect.deployment.{deployment.id}")
                client.delete_deployment(deployment.id)


@contextmanager
def opened(folder: Path, workers: int = 1, **variables: str) -> Iterator[Site]:
    """A site with all of prefect.yaml set up, and workers. No schedule fires unless a test says so.

    variables:  more of the environment.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    ours = {
        **_HURRIED,
        **_SMALL,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NAMEWRIGHT_STORE": str(folder / "store"),
        "NAMEWRIGHT_SOURCE": f"dinosaurs={folder / 'dinosaurs.txt'}",
        "PWD": str(folder / "checkout"),
        "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_SERVER_API_PORT": str(_free_port()),
        **variables,
    }
    (folder / "checkout").mkdir()
    shutil.copy(ROOT / "prefect.yaml", folder / "checkout")
    lines = (CORPORA / "dinosaurs.txt").read_text().splitlines()[:60]
    (folder / "dinosaurs.txt").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", raising=False)
        for name, value in ours.items():
            if name.startswith("PREFECT_"):
                patch.setenv(name, value)
        url = background.start(say=lambda _text: None).url
        try:
            site = Site(url, folder, {**kept, **ours, "PREFECT_API_URL": url})
            site.namewright("deploy")
            site.still()
            with contextlib.ExitStack() as stack:
                for number in range(workers):
                    stack.enter_context(_worker(site, number))
                yield site
        finally:
            background.stop()


@contextmanager
def _worker(site: Site, number: int) -> Iterator[None]:
    with (site.folder / f"worker-{number}.log").open("wb") as log:
        worker = subprocess.Popen(
            [PREFECT, "worker", "start", "--type", "process", "--pool", "namewright"],
            cwd=site.folder,
            env=site.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            worker.send_signal(signal.SIGINT)
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def process_of(run_id: str) -> int:
    """The process that runs a flow run; 0 if there is none."""
    wanted = f"PREFECT__FLOW_RUN_ID={run_id}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in environment.read_bytes().split(b"\0"):
                return int(environment.parent.name)
        except OSError:
            continue
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
