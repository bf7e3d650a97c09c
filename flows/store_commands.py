"""The command line of what a store holds: `namewright store`."""

from cyclopts import App

from flows.models_commands import StoreFolder, open_chosen_store
from rnn_core.validators import check, whole
from tasks import stages
from tasks.generate.dataset import LIST
from tasks.views import console

commands = App(name="store", help="What a store holds: every artifact, and why it is kept.")

_MOST_ROWS = whole(1, 1 << 20)


@commands.command(name="list")
def list_artifacts(*, stage: str | None = None, limit: int = 50, store: StoreFolder = None) -> None:
    """List the artifacts of the store: when each was made and last used, how large it is, what keeps it.

    Args:
        stage: Only those of this stage, such as `model`; or `generated`, the generated lists.
        limit: Rows to show, the last used first.
    """
    from tasks.views import store_view

    check("limit", limit, _MOST_ROWS)
    if stage is not None:
        stages.check_names([stage], [*(known.name for known in stages.OF_A_LIST), LIST])
    with console.open_console() as shown:
        shown.sections([store_view.store_section(open_chosen_store(store), stage, limit)])


@commands.command
def why(key: str, *, store: StoreFolder = None) -> None:
    """Show what an artifact is, what it was made from and for, and why `maintain` keeps it.

    Args:
        key: Key of the artifact, or its first digits; with or without its stage: mixture/3f2a91.
    """
    from tasks.views import store_view

    with console.open_console() as shown:
        shown.sections(store_view.artifact_sections(open_chosen_store(store), key))
