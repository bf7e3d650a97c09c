from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_artifacts import put, recipe_of

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
