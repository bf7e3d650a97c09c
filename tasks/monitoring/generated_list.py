"""A generated list in Prefect: its state, and what its page shows."""

from collections.abc import Callable

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas import State
from prefect.states import Completed

from artifacts.store import Artifact
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings
from tasks.core.events import Event, Finished
from tasks.engines import prefect
from tasks.generate import dataset
from tasks.monitoring import events
from tasks.report import markdown
from tasks.report.markdown import Markdown
from tasks.report.markup import Column

_PAGE = "generated-list"


def generate_list(
    config: GenerateConfig, settings: ListSettings, compose: Callable[..., list[Artifact]]
) -> State[None] | None:
    """Inside a flow: make the list. A state named "Cached" if it was there already.

    Raises what `listing.wanted` and `listing.made` raise.
    """
    tell = prefect.listener()

    def hear(event: Event) -> None:
        tell(event)
        if isinstance(event, Finished):
            create_markdown_artifact(_page(event), key=_PAGE, description=markdown.plain(event.title))
            events.emit_generated_list(event)

    reused = dataset.generate(
        dataset.prepare(config, settings),
        settings,
        compose,
        lambda of_stages: prefect.submitting(of_stages, settings.workers),
        hear,
        prefect.run_context(),
    )
    return Completed(name="Cached", message="the list was there already") if reused else None


def _page(whole: Finished) -> str:
    made = whole.artifact.manifest()
    facts, config = made.metadata, dict(made.recipe.config)
    knobs = {**config.pop("sampling"), **config}
    rows = {
        "names": f"{facts['names']:,}",
        "not in the training list": f"{facts['new']:,}" if "new" in facts else "not known",
        "folder": str(whole.artifact.folder),
        "files": f"{len(made.files):,}, {sum(file.bytes for file in made.files.values()) / 1e6:,.1f} MB",
        "model": made.origins["model"],
        "took": "was there already" if whole.reused else f"{whole.seconds:,.1f} s",
        "sha256 of the names": facts["content"],
        **{name: str(value) for name, value in knobs.items() if value not in ("", None, [])},
    }
    heads = [Column("the list"), Column("")]
    names = "\n".join(f"1. {markdown.plain(name)}" for name in facts["first"])
    return markdown.blocks(markdown.table(heads, list(rows.items())), "The first of them:", Markdown(names))
