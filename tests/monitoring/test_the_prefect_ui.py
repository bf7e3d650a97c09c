"""What a person sees who opens Prefect's UI in the morning, in a real browser.

To look at the screenshots, name a folder for them in SCREENSHOTS. DOCS_IMAGES=docs/images takes the README's.
"""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import browsing
import pytest
from browsing import Browser
from server_requests import posting_headers
from small_runs import COMMAND, CORPORA, STAGES_BY_NAME

from artifacts.store import Artifact, Store
from tasks.server import background, startup

SOURCE = "<b>towns"  # what must not become markup anywhere


class Shown(NamedTuple):
    """What a run left behind. cached: the same run once more, which finds everything."""

    ui: str
    api: str
    store: Store
    run: str
    cached: str

    def asked(self, kind: str, **filters: object) -> list[Any]:
        request = Request(
            f"{self.api}/{kind}/filter", json.dumps(filters).encode(), posting_headers(self.api)
        )
        with urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found

    def artifact(self, key: str, flow_run: str) -> str:
        """The address of its page."""
        filters = {"key": {"any_": [key]}, "flow_run_id": {"any_": [flow_run]}}
        (found,) = self.asked("artifacts", artifacts=filters)
        return f"{self.ui}/artifacts/artifact/{found['id']}"

    def names(self) -> list[str]:
        (made,) = (each for each in self.store.list() if each.recipe.stage == "names")
        key = made.recipe.key
        table = Artifact("names", key, made.digest, self.store.folder("names", key)).table("names.parquet")
        names = table["name"].to_pylist()
        assert isinstance(names, list)
        return names


@pytest.fixture(scope="module")
def ui_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[background.Server]:
    """Prefect's own server with its UI, as the guide starts one for a team."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home, url = tmp_path_factory.mktemp("prefect"), startup.api_url(port)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DO_NOT"))}
    with (
        (home / "log").open("w+b") as log,
        subprocess.Popen(
            [COMMAND, "server", "start", "--foreground", "--port", str(port)],
            env={**own, "PREFECT_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        startup.wait_until_healthy(process, url, log, "the server in the foreground", lambda _text: None)
        yield background.Server(url, process.pid, home / "log")
        process.terminate()


@pytest.fixture(scope="module")
def shown(ui_server: background.Server, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Two runs of the command on a short list, one of whose names is full of signs."""
    folder = tmp_path_factory.mktemp("site")
    lines = (CORPORA / "argentine.txt").read_text().splitlines()[:150]
    (folder / "towns.txt").write_text("\n".join([*lines, "<i>J|o*s*é</i>"]) + "\n")
    command = [
        *(COMMAND, "run", "--source", f"{SOURCE}=towns.txt", "--store", "store"),
        *("--training.hidden-size", "8", "--training.epochs", "4", "--sampling.count", "40"),
    ]
    environment = {**os.environ, "PREFECT_API_URL": ui_server.url}
    for _ in range(2):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=200)
    shown = Shown(ui_server.ui, ui_server.url, Store(folder / "store"), "", "")
    tagged = {"tags": {"all_": [SOURCE]}}
    cached, run = shown.asked("flow_runs", flow_runs=tagged, sort="START_TIME_DESC")
    return shown._replace(run=run["id"], cached=cached["id"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    screenshots = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    screenshots.mkdir(parents=True, exist_ok=True)
    with browsing.opened(tmp_path_factory.mktemp("profile"), screenshots) as browser:
        yield browser


def test_a_run_is_named_tagged_and_tells_what_it_made(browser: Browser, shown: Shown) -> None:
    browser.open(f"{shown.ui}/runs/flow-run/{shown.run}")
    browser.wait(lambda: browser.shows("names 40: made 40 rows in"))
    browser.photograph("flow-run")
    assert f"retrain {SOURCE} · 8 units" in browser.text
    (run,) = shown.asked("flow_runs", flow_runs={"id": {"any_": [shown.run]}})
    assert set(run["tags"]) == {"namewright", "retrain", SOURCE}
    assert "Finished in state Completed()" not in browser.text.partition("names 40: made")[0]


def test_the_stages_of_a_run_that_found_everything_show_as_cached(browser: Browser, shown: Shown) -> None:
    browser.open(f"{shown.ui}/runs/flow-run/{shown.cached}")
    browser.click("Task Runs")

    def states() -> list[str]:
        return [line for line in browser.text.splitlines() if line == "Cached"]

    browser.wait(lambda: len(states()) >= len(STAGES_BY_NAME) + 1)  # those of the stages, and of the run
    browser.photograph("task-runs")
    browser.open(shown.artifact("retrain-report", shown.cached))
    browser.wait(lambda: browser.shows(f"0 computed, {len(STAGES_BY_NAME)} cached"))


def test_the_report_of_a_run_shows_its_curves_and_its_names(browser: Browser, shown: Shown) -> None:
    browser.open(shown.artifact("retrain-report", shown.run))
    browser.wait(lambda: browser.shows("the whole report"))
    browser.photograph("report")
    for title in ("How well it predicts names", "Names by temperature", "The last models", "Stages"):
        assert browser.shows(title)
    for plot in ("Loss", "Lengths"):
        ((width, height),) = browser.wait(lambda plot=plot: browser.sizes(f'img[alt="{plot}"]'))
        assert (width > 100, height > 100) == (True, True)
    assert browser.shows(f"corpus {SOURCE}")
    assert not any(element.text == "towns" for element in browser.all("b"))


def test_the_sample_is_a_table_that_can_be_searched(browser: Browser, shown: Shown) -> None:
    browser.open(shown.artifact("sample-names", shown.cached))
    browser.wait(lambda: browser.shows("The first 40 of 40 names"))
    browser.photograph("sample")
    shown_words = browser.text.split()
    for name in shown.names():
        assert set(name.split()) <= set(shown_words)


def test_the_runs_are_found_by_the_tags_of_their_lists(browser: Browser, shown: Shown) -> None:
    browser.open(f"{shown.ui}/runs")
    browser.wait(lambda: browser.text.count(f"retrain {SOURCE}") >= 2)
    browser.photograph("runs")


def test_no_page_asks_anyone_else_for_anything(browser: Browser, shown: Shown) -> None:
    for page in ("dashboard", "runs", "artifacts", f"runs/flow-run/{shown.cached}"):
        browser.open(f"{shown.ui}/{page}")
        browser.wait(lambda: len(browser.text) > 100)
    browser.photograph("run-that-found-everything")
    assert browser.hosts() == {shown.ui.removeprefix("http://")}


def test_no_page_leads_to_the_second_ui_which_asks_a_host_of_analytics(
    browser: Browser, shown: Shown
) -> None:
    browser.open(f"{shown.ui}/v2/dashboard")
    browser.wait(lambda: len(browser.text) > 100)
    links = [link.get_attribute("href") or "" for link in browser.all("a")]
    assert links
    assert not [link for link in links if "/v2" in link]
    assert browser.hosts() == {shown.ui.removeprefix("http://")}
    (settings,) = [json.loads(urlopen(f"{shown.ui}/ui-settings").read())]
    assert settings["available_uis"] == ["v1"]


@pytest.fixture(scope="module")
def bundled(ui_server: background.Server, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A run as the README's first command does it; quicker, unless it is for the README's pictures."""
    folder = tmp_path_factory.mktemp("bundled")
    quick = ("--training.hidden-size", "8", "--training.epochs", "1", "--evaluation.sample-names", "100")
    options = () if os.environ.get("DOCS_IMAGES") else quick
    subprocess.run(
        [COMMAND, "run", *options], cwd=folder, env={**os.environ, "PREFECT_API_URL": ui_server.url},
        check=True, capture_output=True, timeout=250,
    )  # fmt: skip
    shown = Shown(ui_server.ui, ui_server.url, Store(folder / "artifacts" / "store"), "", "")
    (run,) = shown.asked("flow_runs", flow_runs={"tags": {"all_": ["dinosaurs"]}})
    return shown._replace(run=run["id"])


def test_the_run_of_the_readme_shows_every_stage_in_the_ui(browser: Browser, bundled: Shown) -> None:
    browser.open(f"{bundled.ui}/runs/flow-run/{bundled.run}")
    browser.wait(lambda: browser.shows("names 1,000: made 1,000 rows in"))
    for stage in STAGES_BY_NAME:
        assert stage in browser.text
    browser.click("Task Runs")
    browser.wait(lambda: browser.shows("names 1,000") and not browser.shows("made 1,000 rows"))
    browser.picture("prefect-run")


def test_the_report_of_the_readme_opens_in_a_browser_with_its_names_and_curves(
    browser: Browser, bundled: Shown
) -> None:
    browser.open((bundled.store.root / "report.html").as_uri())
    browser.picture("report")
    assert set(bundled.names()[0].split()) <= set(browser.text.split())
    assert browser.all("svg") or browser.sizes("img")


FOREIGN_PAGE = """<body>nothing yet<script>
const api = "API", text = JSON.stringify({name: "evil"}), json = {"Content-Type": "application/json"};
const ask = (path, options) => () => fetch(`${api}/${path}`, options).then(answer => answer.json());
const id = "00000000-0000-0000-0000-000000000000";
const steps = [
  ask("work_pools/filter", {method: "POST", body: "{}", headers: json}),
  ask("csrf-token?client=evil"),
  ask("deployments/", {method: "POST", body: text, headers: json}),
  ask(`deployments/${id}/create_flow_run`, {method: "POST", body: "{}", headers: json}),
  ask("flows/", {method: "POST", body: text, headers: json}),
  ask("flows/", {method: "POST", body: new Blob([text]), mode: "no-cors"}),
  ...["events/in", "events/out", "logs/out"].map(path => () => new Promise((open, closed) => {
    const socket = new WebSocket(`${api.replace("http", "ws")}/${path}`);
    socket.onopen = open; socket.onerror = closed; })),
];
Promise.all(steps.map(step => step().then(() => "done", () => "refused"))).then(
  all => { document.body.textContent = `outcome: ${all}`; });
</script>"""


def test_a_page_of_another_origin_is_refused_at_every_step(browser: Browser, shown: Shown) -> None:
    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FOREIGN_PAGE.replace("API", shown.api).encode())

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        threading.Thread(target=foreign.serve_forever).start()
        browser.open(f"http://127.0.0.1:{foreign.server_port}/")
        browser.wait(lambda: browser.shows("outcome: "))
        foreign.shutdown()
    assert browser.text == f"outcome: {','.join(['refused'] * 9)}"
    assert shown.asked("flows", flows={"name": {"any_": ["evil"]}}) == []
