"""Stages that take a moment, for tests of who runs them."""

import time
from dataclasses import dataclass

from artifacts.store import Artifact
from rnn_core.errors import DataError
from tasks.core.stage import Stage, StageContext
from tasks.process import signals

STEPS = 20


@dataclass(frozen=True)
class Greeting:
    to: str = "Ana"


def greet(work: StageContext, config: Greeting, **_inputs: Artifact) -> None:
    work.writer.write_text("greeting.txt", f"hello {config.to}")


def count(work: StageContext, config: Greeting, **_inputs: Artifact) -> None:
    """A second: long enough to be watched, or stopped."""
    for step in range(STEPS):
        signals.raise_if_requested("counting")
        work.progress(step + 1, STEPS, f"greeting {config.to}")
        time.sleep(0.05)
    work.writer.write_text("count.txt", str(STEPS))


def refuse(_work: StageContext, _config: Greeting, **_inputs: Artifact) -> None:
    raise DataError("test.refused", "nobody is greeted", where="greeting.txt", fix="greet somebody")


def stumble(_work: StageContext, _config: Greeting, **_inputs: Artifact) -> None:
    raise ZeroDivisionError("nobody expected this")


greeting = Stage("greeting", 1, "small_stages:greet", title=lambda config: config.to)
counting = Stage("counting", 1, "small_stages:count")
refusing = Stage("refusing", 1, "small_stages:refuse")
stumbling = Stage("stumbling", 1, "small_stages:stumble")
