"""The command line of the model registry: `namewright models`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from artifacts.model_file import ModelKind
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError
from tasks.config.promotion import DecisionConfig, PromotionConfig
from tasks.config.settings import default_store
from tasks.models import champion, load
from tasks.models.champion import CHAMPION
from tasks.process import signals
from tasks.views import console

BY = {"engine": "command line"}

commands = App(name="models", help="The models of a store, and the champion, from which names are generated.")

StoreFolder = Annotated[
    Path | None,
    Parameter(
        name="--store", help="Folder of the artifact store; by default artifacts/store in the current folder."
    ),
]


@commands.command(name="list")
def list_models(*, store: StoreFolder = None) -> None:
    """List the models of the store, with their metrics and lists; the champion is marked."""
    from tasks.views import models_view  # slow to import

    with console.open_console() as shown:
        shown.sections([models_view.models_section(_store(store))])


@commands.command
def show(key: str = CHAMPION, *, store: StoreFolder = None) -> None:
    """Show a model's card, metrics and decisions, and the history of champions.

    Args:
        key: Key of the model, or its first digits; or `champion`.
    """
    from tasks.views import models_view

    models = _store(store)
    model = _model(key, models)
    with console.open_console() as shown:
        shown.sections([models_view.model_section(models, model)])
        shown.sections(models_view.decision_sections(models, model))
        shown.sections([models_view.history_section(models.registry(CHAMPION).history())])


@commands.command
def compare(
    candidate: Annotated[str, Parameter(name=("--candidate", "--challenger"))],
    other: str = CHAMPION,
    *,
    store: StoreFolder = None,
    promotion: PromotionConfig = PromotionConfig(),
    drawn_from: ModelKind = "network",
) -> None:
    """Compare two models by the promotion policy. Nothing is promoted.

    Args:
        candidate: Key of the candidate, or its first digits.
        other: Key of the model that it is compared with; by default the champion.
        drawn_from: What is compared of each model: the network, or the mixture with n-grams.
    """
    from tasks.views import models_view

    models = _store(store)
    pair = [_model(key, models) for key in (candidate, other)]
    with signals.graceful_shutdown(), console.open_console() as shown:
        shown.sections([models_view.comparison_section(models, DecisionConfig(promotion, drawn_from), *pair)])
        shown.sections([models_view.settings_section(models, *pair)])


@commands.command
def promote(key: str, *, store: StoreFolder = None) -> None:
    """Promote a model, bypassing the promotion policy. Names come from it from now on.

    Args:
        key: Key of the model, or its first digits.
    """
    models = _store(store)
    model = _model(key, models)
    with signals.graceful_shutdown():
        before = champion.promote_by_hand(models, model, BY, _wait)
    print(f"{model.origin} is the champion; before it was {before.origin if before else 'none'}")


@commands.command
def rollback(*, store: StoreFolder = None) -> None:
    """Restore the previous champion. A run does not promote again what was rolled back."""
    with signals.graceful_shutdown():
        until_now, before = champion.roll_back(_store(store), BY, _wait)
    print(f"{before.origin} is the champion again; until now it was {until_now.origin}")


def _store(store: Path | None) -> Store:
    return Store((store or default_store()).expanduser())


def _model(key: str, store: Store) -> Artifact:
    """Raises DataError unless it is a whole artifact of the stage `mixture`."""
    found = load.find_model(key, store.root).artifact
    if found and found.stage == "mixture":
        return found
    raise DataError(
        "champion.stage",
        "not a model of the stage `mixture`",
        saw=key,
        fix="`namewright models list` shows those of the store.",
    )


def _wait() -> None:
    signals.raise_if_requested("while waiting for a run that changes the registry")
