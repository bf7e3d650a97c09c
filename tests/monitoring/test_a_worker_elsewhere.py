"""A worker on another machine: no folder of the site and no profile, only a bucket and the server."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import deployed_site
import pytest
from s3_server import BUCKET, s3_environment, s3_server
from small_runs import CORPORA, FOREIGN

from artifacts.bucket.address import mirror
from artifacts.bucket.objects import Objects
from artifacts.open_store import open_store
from rnn_core.errors import ConfigError
from tasks.config.site import ELSEWHERE_STEP, PULL_STEP, folder_of
from tasks.deploy.pull_step import elsewhere_too, enter_site

STORE = f"s3://{BUCKET}/store"
PIPELINE = """
[[source]]
name = "dinosaurs"
path = "s3://names/lists/*.txt"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[deployed_site.Site]:
    """A site whose folder is gone once it is deployed, and a worker in an empty folder."""
    folder = tmp_path_factory.mktemp("site")
    with s3_server() as endpoint, pytest.MonkeyPatch.context() as patch:
        bucket = s3_environment(endpoint)
        for name, value in {**bucket, "NAMEWRIGHT_CACHE": str(folder / "cache")}.items():
            patch.setenv(name, value)
        lines = (CORPORA / "dinosaurs.txt").read_text().splitlines()[:60]
        Objects(f"s3://{BUCKET}").overwrite("lists/dinosaurs.txt", "\n".join(lines).encode())
        variables = {
            **bucket,
            "NAMEWRIGHT_STORE": STORE,
            "NAMEWRIGHT_SOURCE": f"dinosaurs=s3://{BUCKET}/lists/*.txt",
            "NAMEWRIGHT_CACHE": str(folder / "cache"),
        }
        with deployed_site.opened(folder, workers=0, **variables) as opened:
            opened.checkout.rename(folder / "gone")
            with Worker(opened, tmp_path_factory.mktemp("elsewhere"), bucket):
                yield opened


class Worker:
    """A worker that knows where the server and the bucket are, and nothing else."""

    def __init__(self, site: deployed_site.Site, home: Path, bucket: dict[str, str]) -> None:
        foreign = (*FOREIGN, "PWD", "HOME", "AWS_")
        self.environment = {
            **{name: value for name, value in site.environment.items() if not name.startswith(foreign)},
            **bucket,
            "HOME": str(home),
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": site.url,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "NAMEWRIGHT_CACHE": str(home / "cache"),
            "NAMEWRIGHT_TRAINING_EPOCHS": "2",
        }
        self.home = home

    def __enter__(self) -> None:
        command = [deployed_site.PREFECT, "worker", "start", "--type", "process", "--pool", "namewright"]
        with (self.home / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.mark.timeout(900)
def test_it_retrains_generates_and_watches_with_nothing_but_the_bucket(site):
    for deployment in ("retrain", "generate", "watch"):
        run = site.ended(site.start(deployment))
        assert run["state_type"] == "COMPLETED", run["state"]
    store = open_store(mirror(STORE))
    assert list(store.registries())
    (model,) = store.list("model")
    assert model.recipe.config["epochs"] == 2  # of the worker's own environment, which wins
    assert model.recipe.config["hidden_size"] == 8  # of the site's, when it was deployed
    (corpus,) = store.list("corpus")
    assert list(corpus.origins.values()) == [f"s3://{BUCKET}/lists/dinosaurs.txt"]
    assert any("_SUCCESS" in listed.name for listed in store.objects.listing("generated"))
    assert not site.checkout.exists()


@pytest.fixture(autouse=True)
def _environment_of_before() -> Iterator[None]:
    """A run that enters a site changes the variables of its process, which here is that of all tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def in_site(monkeypatch, folder, **variables):
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("NAMEWRIGHT_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def step_of(folder):
    return elsewhere_too({PULL_STEP: {"directory": str(folder)}}, STORE)


def test_where_the_folder_is_a_run_enters_it_and_has_the_options_of_the_machine(tmp_path, monkeypatch):
    in_site(monkeypatch, tmp_path / "site", NAMEWRIGHT_TRAINING_SEED="3")
    step = step_of(tmp_path / "site")
    assert folder_of([step]) == str(tmp_path / "site")
    in_site(monkeypatch, tmp_path / "other")
    assert enter_site(**step[ELSEWHERE_STEP]) == {"directory": str(tmp_path / "site")}
    assert Path.cwd() == tmp_path / "site"
    assert "NAMEWRIGHT_TRAINING_SEED" not in os.environ


def test_where_it_is_not_a_run_has_the_options_of_the_deployment_and_the_machine_s_own_win(
    tmp_path, monkeypatch
):
    in_site(
        monkeypatch,
        tmp_path / "site",
        NAMEWRIGHT_TRAINING_SEED="3",
        NAMEWRIGHT_TRAINING_EPOCHS="5",
        NAMEWRIGHT_CACHE="/of/this/machine",
        NAMEWRIGHT_WORKERS="64",
    )
    Path("pipeline.toml").write_text(f"# {{{{ $HOME }}}}\n{PIPELINE}")
    step = step_of(tmp_path / "site")
    assert "{{" not in json.dumps(step)
    in_site(monkeypatch, tmp_path / "other", NAMEWRIGHT_TRAINING_EPOCHS="7")
    (tmp_path / "site").rename(tmp_path / "gone")
    entered = Path(enter_site(**step[ELSEWHERE_STEP])["directory"])
    assert Path.cwd() == entered
    assert (entered / "pipeline.toml").read_text() == f"# {{{{ $HOME }}}}\n{PIPELINE}"
    ours = {name: value for name, value in os.environ.items() if name.startswith("NAMEWRIGHT_")}
    assert ours == {
        "NAMEWRIGHT_TRAINING_SEED": "3",
        "NAMEWRIGHT_TRAINING_EPOCHS": "7",
        "NAMEWRIGHT_STORE": STORE,
    }


def test_a_pipeline_file_that_cannot_be_read_is_one_clear_error(tmp_path, monkeypatch):
    in_site(monkeypatch, tmp_path, NAMEWRIGHT_CONFIG=str(tmp_path / "nothing.toml"))
    with pytest.raises(ConfigError) as caught:
        step_of(tmp_path)
    assert caught.value.code == "config.file"


def test_a_step_that_fetches_code_stays_as_it_is():
    step = {"prefect.deployments.steps.git_clone": {"repository": "x"}}
    assert elsewhere_too(step, STORE) == step
