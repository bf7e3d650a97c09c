from pathlib import Path

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
