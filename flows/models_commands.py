"""The command line of the model registry: `namewright models`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from artifacts.model_file import ModelKind
from artifacts.open_store import open_store
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError
from tasks.config.promotion import DecisionConfig, PromotionConfig
from tasks.config.settings import chosen_store
from tasks.models import champion, load
from tasks.models.champion import CHAMPION
from tasks.models.training_lists import list_names
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
        shown.sections([models_view.models_section(open_chosen_store(store))])


@commands.command
def show(key: str = CHAMPION, *, store: StoreFolder = None) -> None:
    """Show a model's card, metrics and decisions, and the history of champions.

    Args:
        key: Key of the model, or its first digits; or `champion`.
    """
    from tasks.views import models_view

    models = open_chosen_store(store)
    model = _model(key, models)
    lists = list_names(models, model.reference)
    with console.open_console() as shown:
        shown.sections([models_view.model_section(models, model)])
        shown.sections(models_view.decision_sections(models, model))
        shown.sections([models_view.history_section(champion.champion_registry(models, lists).history())])


@commands.command
def compare(
    candidate: Annotated[str, Parameter(name=("--candidate", "--challenger"))],
    other: str = CHAMPION,
    *,
    store: StoreFolder = None,
    promotion: PromotionConfig = PromotionConfig(),
    drawn_from: ModelKind | None = None,
) -> None:
    """Compare two models by the promotion policy. Nothing is promoted.

    Args:
        candidate: Key of the candidate, or its first digits.
        other: Key of the model that it is compared with; by default the champion of its lists.
        drawn_from: What is compared of each model: the network, or the mixture with n-grams. Default: what
            its names are drawn from.
    """
    from tasks.views import models_view

    models = open_chosen_store(store)
    model = _model(candidate, models)
    pair = model, _model(other, models, list_names(models, model.reference))
    with signals.graceful_shutdown(), console.open_console() as shown:
        shown.sections([models_view.comparison_section(models, DecisionConfig(promotion, drawn_from), *pair)])
        shown.sections([models_view.settings_section(models, *pair)])


@commands.command
def promote(key: str, *, store: StoreFolder = None) -> None:
    """Promote a model, bypassing the promotion policy. Names come from it from now on.

    Args:
        key: Key of the model, or its first digits.
    """
    models = open_chosen_store(store)
    model = _model(key, models)
    with signals.graceful_shutdown():
        before = champion.promote_by_hand(models, model, BY, _wait)
    print(f"{model.origin} is the champion; before it was {before.origin if before else 'none'}")


@commands.command
def rollback(*, sources: tuple[str, ...] = (), store: StoreFolder = None) -> None:
    """Restore the previous champion. A run does not promote again what was rolled back.

    Args:
        sources: Names of the lists whose champion is meant; by default those that were trained on last.
    """
    models = open_chosen_store(store)
    with signals.graceful_shutdown():
        lists = champion.chosen_lists(models, sources)
        until_now, before = champion.roll_back(models, lists, BY, _wait)
    print(f"{before.origin} is the champion again; until now it was {until_now.origin}")


def open_chosen_store(store: Path | None) -> Store:
    """The store of the option, or by default that of NAMEWRIGHT_STORE."""
    return open_store(chosen_store(store))


def _model(key: str, store: Store, sources: Sequence[str] = ()) -> Artifact:
    """Raises DataError unless it is a whole artifact of the stage `mixture`."""
    found = load.find_model(key, store.root, sources).artifact
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
