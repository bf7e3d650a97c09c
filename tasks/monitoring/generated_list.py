"""A generated list as Prefect shows it: its state, and what its page shows."""

from collections.abc import Callable

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas import State
from prefect.states import Completed

from artifacts.store import Artifact
from rnn_core.errors import ConfigError
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings
from tasks.core.events import Event, Finished
from tasks.core.prefect_states import CACHED
from tasks.engines import prefect
from tasks.engines.lease import is_deployed
from tasks.generate import dataset
from tasks.monitoring import events
from tasks.monitoring.deployed_work import deployed_work
from tasks.monitoring.run_tags import TAG, add_tags
from tasks.report import markdown
from tasks.report.blend import blend_sections
from tasks.report.markdown import Markdown
from tasks.report.sections import Table, columns

_PAGE = "generated-list"
_TAGS = (TAG, "generate")  # those of the deployment, also where there is none


@deployed_work
def generate_list(
    config: GenerateConfig, settings: ListSettings, compose: Callable[..., list[Artifact]]
) -> State[None]:
    """Generate a list inside a flow, with a page, an event and a state that says how many names it has.

    The state is named "Cached" if the list existed already.

    Raises what `dataset.prepare` and `dataset.generate` raise, and ConfigError for names that a deployed run
    is to write to standard output, where nobody reads them.
    """
    if settings.is_stdout and is_deployed():
        raise ConfigError(
            "config.output",
            "a deployed run has no standard output for its names",
            where="settings.output",
            saw="-",
            fix="name a file or a folder; or leave it out: the list is then in the store.",
        )
    emit = prefect.caller_listener()
    add_tags(_TAGS)
    finished: list[Finished] = []

    def on_event(event: Event) -> None:
        emit(event)
        if isinstance(event, Finished):
            finished.append(event)
            create_markdown_artifact(_page(event), key=_PAGE, description=markdown.plain(event.title))
            events.emit_generated_list(event)

    reused = dataset.generate(
        dataset.prepare(config, settings),
        settings,
        compose,
        lambda stage_settings: prefect.stage_runner(stage_settings, settings.workers),
        on_event,
        prefect.run_context(),
    )
    *_, last = finished  # the list itself
    files = len(last.artifact.manifest().files)
    names, of_files = last.rows or 0, "file" if files == 1 else "files"
    message = f"{names:,} names in {files:,} {of_files}"
    if reused:
        return Completed(name=CACHED, message=f"{message}, which existed already")
    return Completed(message=f"{message}, {last.seconds:,.1f} s")


def _page(generated: Finished) -> str:
    manifest = generated.artifact.manifest()
    metadata, config = manifest.metadata, dict(manifest.recipe.config)
    options = {**config.pop("sampling"), **config}
    megabytes = sum(file.bytes for file in manifest.files.values()) / 1e6
    rows = {
        "names": f"{metadata['names']:,}",
        "not in the training list": f"{metadata['new']:,}" if "new" in metadata else "unknown",
        "folder": generated.artifact.place,
        "files": f"{len(manifest.files):,}, {megabytes:,.1f} MB",
        "model": manifest.origins["model"],
        "lists": ", ".join(f"{name} ({names:,})" for name, names in metadata.get("lists", {}).items())
        or "unknown",
        "took": "existed already" if generated.reused else f"{generated.seconds:,.1f} s",
        "sha256 of the names": metadata["content"],
        **{name: str(value) for name, value in options.items() if value not in ("", None, [])},
    }
    content = Table(columns("the list", ""), list(rows.items()))
    names = "\n".join(f"1. {markdown.plain(name)}" for name in metadata["first"])
    blend = markdown.render(blend_sections(metadata))
    return markdown.blocks(markdown.table(content), "The first names:", Markdown(names), blend)
