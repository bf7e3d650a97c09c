"""Trained models: opening one, and which of them is the champion.

>>> from tasks.models import open_model
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.models.load import TrainedModel, open_model

__all__ = ["TrainedModel", "open_model"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for: a run that opens no model pays nothing for them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tasks.models import load

    return getattr(load, name)
