"""Namewright learns to generate names from your own lists.

>>> from namewright import generate, open_model
>>> names = generate(500, prefix="El")
>>> model = open_model()
>>> log_probabilities = model.log_probabilities(["Elrond", "Elwing"])

`python -m namewright` is the command line.

The code is in five packages with plain names. Where a folder of yours has one of these names, Python would
import yours instead: this module says so, and which.
"""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.models import TrainedModel, open_model

__all__ = ["ShadowedPackageError", "TrainedModel", "generate", "open_model"]

PACKAGES = ("flows", "tasks", "artifacts", "data", "rnn_core")


class ShadowedPackageError(ImportError):
    """A module of the user's stands in the place of one of our packages."""


def generate(count: int = 1000, *, model: Any = None, store: Any = None, **options: Any) -> "pa.StringArray":
    """(count,) names from a trained model.

    model:    a path to a model.npz, a key in the store, or None for the champion.
    store:    folder of the artifact store; by default NAMEWRIGHT_STORE, or artifacts/store here.
    options:  those of `TrainedModel.draw`: prefix, min_length, max_length, temperature, seed and so on.

    Raises what `open_model` and `TrainedModel.draw` raise.
    """
    from tasks.models import open_model

    loaded = open_model(store=store) if model is None else open_model(model, store)
    return loaded.draw(count, **options)


def __getattr__(name: str) -> Any:
    """The public names of `tasks.models`, imported when they are asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tasks import models

    return getattr(models, name)


def _check_packages() -> None:
    """Raise ShadowedPackageError if Python finds another module in the place of one of our packages."""
    home = Path(__file__).resolve().parent
    for name in PACKAGES:
        found = _place(name)
        if found and not found.resolve().is_relative_to(home / name):
            inside = found.parent if found.name == "__init__.py" else found
            raise ShadowedPackageError(
                f"namewright needs its own package {name!r}, and Python finds {inside} in its place. "
                f"Rename that {'folder' if inside.is_dir() else 'file'}, or run Python from another folder.",
                name=name,
                path=str(inside),
            )


def _place(name: str) -> Path | None:
    """The file of a module, imported already or not; its folder if it has no file."""
    module = sys.modules.get(name)
    spec = module.__spec__ if module else importlib.util.find_spec(name)
    if spec is None:  # a module that was made by hand, or none at all
        return None
    folders = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec.has_location and spec.origin else Path(folders[0]) if folders else None


def main() -> None:
    """The command line."""
    from flows.__main__ import main as command_line

    command_line()


try:
    _check_packages()
except ShadowedPackageError as shadowed:
    if __name__ == "__main__":
        sys.exit(f"error: {shadowed}")
    raise

if __name__ == "__main__":
    main()
