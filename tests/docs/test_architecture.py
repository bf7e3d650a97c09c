"""docs/architecture.md is true: its tables, its worked examples, and where its walks lead."""

import ast
import inspect
import math
import re
import types
from pathlib import Path

import numpy as np
import pytest

from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import longest_first
from rnn_core.metrics import sample_metrics
from rnn_core.nn import cells, network
from rnn_core.text.names import EncodedNames
from rnn_core.tree import leaves, tree_map
from tasks import stages

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", PAGE, flags=re.M))


def code(title):
    """The blocks of Python in a section."""
    return re.findall(r"```python\n(.*?)```", SECTIONS[title], flags=re.S)


def cells_of(title):
    """The rows of the table of a section, without its head."""
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in SECTIONS[title].splitlines() if line.startswith("|")]
    return rows[2:]


def test_every_room_is_in_the_table_and_every_room_of_the_table_is_there():
    packages = [row[0].strip("`") for row in cells_of("Five packages, one direction")]
    rooms = {
        f"{package}.{path.parent.name}"
        for package in packages
        for path in (ROOT / package).glob("*/__init__.py")
    }
    assert rooms == {row[0].strip("`") for row in cells_of("The rooms")}


def test_every_stage_is_in_the_table_with_the_module_that_declares_it():
    declared = [[f"`{stage.name}`", f"`{stage.function.__module__}`"] for stage in stages.ALL]
    assert sorted(declared) == sorted(row[:2] for row in cells_of("The stages"))


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Runs blocks of the page, one after another in an empty folder; gives the names that they define."""
    monkeypatch.chdir(tmp_path)

    def run(*blocks):
        module = types.ModuleType("example")
        monkeypatch.setitem(__import__("sys").modules, "example", module)
        for block in blocks:
            exec(compile(block, "architecture.md", "exec"), module.__dict__)
        return module

    return run


def test_a_name_travels_as_it_says(example):
    example(*code("How a name travels"))


def test_a_value_reaches_a_key_as_it_says(example):
    example(*code("How a configuration value reaches a key"))


def test_the_example_of_a_stage_makes_its_artifact_once(example):
    defined = example(*code("How a name travels"), *code("Where to add a stage"))
    with defined.stage_runner(defined.Settings(store=Path("store")), lambda _event: None) as run:
        again = run(defined.initials, defined.InitialsConfig(), validated=defined.accepted)
    assert again.manifest() == defined.counted.manifest()


def test_the_example_of_a_metric_is_measured_beside_the_others(example):
    title = "Where to add a metric"
    defined = example(*code(title))
    (line,) = re.findall(r"```text\n(.*)\n```", SECTIONS[title])
    source = inspect.getsource(sample_metrics.measure_sample)
    first = next(text for text in source.splitlines() if 'MetricValue("uniqueness"' in text)
    namespace = {**vars(sample_metrics), "doubled_share": defined.doubled_share}
    exec(source.replace(first, f"{first}\n{line}"), namespace)

    names = ["Anna", "Bea", "Otto", "Ida"]
    encoded = EncodedNames.from_lists(np.array([ord(c) - 64 for c in name]) for name in names)
    listed = sample_metrics.NameList(names, encoded)
    training = sample_metrics.TrainingNames.from_names(listed)
    values = {value.metric: value.value for value in namespace["measure_sample"](listed, encoded, training)}
    assert values["doubled_share"] == 0.5
    assert values["uniqueness"] == 1.0


def test_the_example_of_a_cell_has_the_gradient_of_its_loss(example, monkeypatch):
    (block,) = code("Where to add a cell")
    rectified = example(block)
    monkeypatch.setitem(cells.CELLS, rectified.NAME, rectified)
    rng = np.random.default_rng(3)
    start = network.init(rng, rectified.NAME, vocabulary_size=7, hidden_size=6, dtype=np.float64, layers=2)
    parameters = tree_map(lambda leaf: leaf + 0.3 * rng.standard_normal(leaf.shape), start)
    names = EncodedNames.from_lists(rng.integers(1, 7, length) for length in (1, 4, 7))
    stream = BatchStream.from_names(names)
    batch = next(stream.packed_batches([longest_first(stream.rows, np.arange(names.count))]))
    direction = tree_map(lambda leaf: rng.standard_normal(leaf.shape), parameters)

    def loss_at(distance):
        moved = tree_map(lambda leaf, way: leaf + distance * way, parameters, direction)
        return network.loss_and_gradient(moved, batch)[0]

    _, gradient = network.loss_and_gradient(parameters, batch)
    slope = sum(float((a * b).sum()) for a, b in zip(leaves(gradient), leaves(direction), strict=True))
    measured = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6
    assert math.isclose(slope, measured, rel_tol=1e-5)


WALKS = re.findall(
    r"\*\*(The line[^*]*)\*\*.*?\[`([^`]+)`\]\(\.\./([^)]+)\), in\s+`(\w+)`.*?```python\n(.*?)\n```",
    SECTIONS["Three walks from the README"],
    flags=re.S,
)


def test_there_are_three_walks_and_the_readme_leads_to_them():
    assert len(WALKS) == 3
    assert "](docs/architecture.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("title", "shown", "path", "function", "line"), WALKS, ids=lambda text: text[:40])
def test_a_walk_leads_to_a_function_that_holds_the_line(title, shown, path, function, line):
    assert shown == path, title
    text = (ROOT / path).read_text(encoding="utf-8")
    (node,) = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    assert line in [row.strip() for row in ast.get_source_segment(text, node).splitlines()]
