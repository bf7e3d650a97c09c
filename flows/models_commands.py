"""The command line of the model registry: `namewright models` and what comes after it."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from artifacts.model_file import ModelKind
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError
from tasks.config.promotion import DecidingConfig, PromotionConfig
from tasks.config.settings import default_store
from tasks.models import champion, load
from tasks.models.champion import CHAMPION
from tasks.process import signals
from tasks.views import console

BY = {"engine": "command line"}

commands = App(name="models", help="The models of a store, and which of them names are drawn from.")

# Of every command below.
StoreFolder = Annotated[
    Path | None, Parameter(name="--store", help="Folder of the artifact store; by default artifacts/store.")
]


@commands.command(name="list")
def list_models(*, store: StoreFolder = None) -> None:
    """Every model: when it was made, its nats per character on test names, its lists; which is champion."""
    from tasks.views import models_view  # slow to import

    with console.open_console() as shown:
        shown.sections([models_view.models_section(_opened(store))])


@commands.command
def show(key: str = CHAMPION, *, store: StoreFolder = None) -> None:
    """All that is known of a model: its card, metrics, the decisions about it; and which was champion when.

    Parameters
    ----------
    key
        Of the model, or its first digits; or champion.
    """
    from tasks.views import models_view

    opened = _opened(store)
    model = _model(key, opened)
    with console.open_console() as shown:
        shown.sections([models_view.model_section(opened, model)])
        shown.sections(models_view.decision_sections(opened, model))
        shown.sections([models_view.history_section(opened.registry(CHAMPION).history())])


@commands.command
def compare(
    challenger: str,
    other: str = CHAMPION,
    *,
    store: StoreFolder = None,
    promotion: PromotionConfig = PromotionConfig(),
    drawn_from: ModelKind = "network",
) -> None:
    """What a run would decide about one model against another. It changes nothing.

    Parameters
    ----------
    challenger
        Key of a model, or its first digits.
    other
        Key of the model that it is compared with; the champion if none is named.
    drawn_from
        What of each model is compared: the network, or the mixture.
    """
    from tasks.views import models_view

    opened = _opened(store)
    pair = [_model(key, opened) for key in (challenger, other)]
    with signals.graceful_shutdown(), console.open_console() as shown:
        shown.sections([models_view.comparison_section(opened, DecidingConfig(promotion, drawn_from), *pair)])


@commands.command
def promote(key: str, *, store: StoreFolder = None) -> None:
    """Let a model be the champion, whatever the rule says. Names are drawn from it from now on.

    Parameters
    ----------
    key
        Of the model, or its first digits.
    """
    opened = _opened(store)
    model = _model(key, opened)
    with signals.graceful_shutdown():
        before = champion.promote_by_hand(opened, model, BY, _wait)
    print(f"{model.origin} is the champion; before it was {before.origin if before else 'none'}")


@commands.command
def rollback(*, store: StoreFolder = None) -> None:
    """Let the champion before this one be it again. What is rolled back is not promoted again by a run."""
    with signals.graceful_shutdown():
        until_now, before = champion.roll_back(_opened(store), BY, _wait)
    print(f"{before.origin} is the champion again; until now it was {until_now.origin}")


def _opened(store: Path | None) -> Store:
    return Store((store or default_store()).expanduser())


def _model(key: str, store: Store) -> Artifact:
    """Raises DataError unless it is a whole artifact of the stage `mixture`."""
    found = load.find_model(key, store.root).artifact
    if found and found.stage == "mixture":
        return found
    raise DataError(
        "champion.stage",
        "this is no model of the stage `mixture`",
        saw=key,
        fix="`namewright models list` names those of the store.",
    )


def _wait() -> None:
    signals.raise_if_requested("while waiting for a run that changes the registry")
