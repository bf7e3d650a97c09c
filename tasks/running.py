"""The plain engine: stages one after another, here and now. It needs no Prefect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from artifacts.store import Artifact
from tasks import report_page
from tasks.progress import Listener
from tasks.settings import Settings
from tasks.stage import Input, Runner, Stage


@contextmanager
def producing(settings: Settings, listener: Listener) -> Iterator[Runner]:
    """A runner that makes every stage at once; at its end the report of all of them is published."""
    made: list[Artifact] = []

    def run(stage: Stage, config: Any, **inputs: Input) -> Artifact:
        artifact, _ = stage.produce(settings, config, listener, {"engine": "plain"}, **inputs)
        made.append(artifact)
        return artifact

    yield run
    report_page.publish_last(settings.store, made)
