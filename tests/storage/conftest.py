from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import BUCKET, s3_environment
from small_artifacts import put, recipe_of
from two_stores import Place

from artifacts.bucket.address import mirror
from artifacts.keys import Recipe
from artifacts.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def recipe() -> Recipe:
    return recipe_of("names")


@pytest.fixture
def put_artifact():
    return put


@pytest.fixture(scope="session")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """load_dataset, which asks nobody and leaves nothing at home."""
    home = tmp_path_factory.mktemp("hugging-face")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_HOME", str(home))
        for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            environment.setenv(name, "1")
        from datasets import load_dataset  # reads the environment as it is imported

        yield lambda *what, **files: load_dataset(
            *what, split="train", cache_dir=str(home / "cache"), **files
        )


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "folder":
        yield Place(tmp_path / "store", "")
        return
    for name, value in s3_environment(request.getfixturevalue("s3_endpoint")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    address = f"s3://{BUCKET}/{tmp_path.name}"
    yield Place(mirror(address), address)
