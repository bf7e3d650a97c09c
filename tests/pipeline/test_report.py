"""The report page, over small stand-ins of what the other stages leave: a real store, real Parquet."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.keys import Recipe
from artifacts.model_file import network_arrays
from artifacts.registry import Reference
from artifacts.store import Artifact, Store
from data import schemas
from rnn_core.nn import network
from rnn_core.text.vocabulary import Vocabulary
from tasks import stages
from tasks.config.report import ReportConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.models.champion import Outcome
from tasks.models.promotion import Figure
from tasks.report import html
from tasks.report.history import past_runs
from tasks.report.provenance import lineage
from tasks.report.publish import publish_report
from tasks.report.sections import Cell, Column, Section, Table
from tasks.report.text import escape_invisible
from tasks.stages.deciding import decision_table
from tasks.stages.mixing import load_models
from tasks.stages.report_samples import temperature_samples

HOSTILE = [
    "<script>alert(1)</script>",
    "<b>Bold</b> & \"quoted\" 'twice'",
    "שלום דוד",
    "محمد",
    "Zoë-Ñandú",
    "李小龍",
    "न्गुगी",
    "<!-- provenance -->",
    "\\g<1> {braces} %s $HOME",
    "",
]

VOID = {"meta", "link"}

TEXT, CATEGORY = pa.string(), pa.dictionary(pa.int32(), pa.string())
WHOLE, SMALL, REAL = pa.int64(), pa.int32(), pa.float64()
TYPES = {
    "CORPUS": (TEXT, CATEGORY, SMALL, WHOLE, REAL),
    "CORPUS_REJECTED": (CATEGORY, SMALL, WHOLE, pa.binary(), TEXT),
    "REJECTED": (CATEGORY, SMALL, WHOLE, TEXT, TEXT),
    "PROFILE": (TEXT, TEXT, TEXT, WHOLE),
    "CHANGES": (TEXT, TEXT, REAL, REAL, REAL, REAL, pa.bool_()),
    "VOCABULARY": (SMALL, TEXT, WHOLE),
    "EXAMPLES": (TEXT, CATEGORY, CATEGORY, pa.list_(SMALL), REAL),
    "HISTORY": (WHOLE, REAL, REAL, REAL, REAL),
    "METRICS": (TEXT, TEXT, TEXT, TEXT, REAL, WHOLE),
    "NAMES": (WHOLE, TEXT, REAL, SMALL, pa.bool_()),
}


def table(schema: str, columns: Sequence[Sequence[Any]]) -> pa.Table:
    arrays = map(pa.array, columns, TYPES[schema])
    declared = getattr(schemas, schema)
    return schemas.conform(declared, pa.table(list(arrays), names=list(declared.columns)))


class Page(HTMLParser):
    """What a browser would make of it: tags, attributes, the text of every element; and that tags pair up."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all_of(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for where, text in self.texts if where != "style").split())


@dataclass
class StandIns:
    """What the stages before the report might have left. Every list may be empty."""

    root: Path
    source: str = "towns"
    names: Sequence[str] = ("Asunción", "Bar", "Carhué", "Dos")
    corpus_rejected: Sequence[tuple[int, bytes, str]] = ((3, b"  ", "blank line"),)
    merge_rejected: Sequence[tuple[int, str, str]] = ((7, "Bar", "duplicate of an earlier name"),)
    rule_rejected: Sequence[tuple[int, str, str]] = ()
    splits: Sequence[str] = ("train", "train", "validation", "test")
    history: Sequence[tuple[int, float, float, float | None, float]] = (
        (10, 1.0, 3.2, 3.1, 1e-3),
        (20, 2.0, 2.5, 2.4, 1e-3),
        (30, 3.0, 2.1, 2.6, 1e-3),
    )
    metrics: Mapping[tuple[str, str, str], float] = field(
        default_factory=lambda: {
            ("rnn", "test", "all"): 2.25,
            ("rnn", "test", "towns"): 2.25,
            ("rnn", "validation", "all"): 2.5,
            ("rnn", "test_unseen", "all"): 2.3125,
            ("mixture", "test", "all"): 2.0625,
            ("kneser-ney 6-gram", "test", "all"): 2.125,
            ("kneser-ney 6-gram", "test", "towns"): 2.125,
            ("kneser-ney 6-gram", "validation", "all"): 2.375,
        }
    )
    measures: Sequence[tuple[str, str, float, int]] = (
        ("held-out", "novelty", 1.0, 2),
        ("rnn", "validity", 0.9955, 2000),
        ("rnn", "novelty", 0.875, 2000),
        ("mixture", "novelty", 0.75, 2000),
        ("rnn", "edit_distance_ratio", 1.125, 500),
    )
    sampled: Sequence[tuple[str, bool]] = (*((name, False) for name in HOSTILE), ("Bar", True))
    model_config: Mapping[str, Any] = field(default_factory=lambda: {"cell": "elman", "epochs": 3})
    merging: Mapping[str, Any] = field(default_factory=lambda: {"duplicates": "drop"})
    changes: Sequence[tuple[str, str, float, float, float, float | None, bool]] = ()
    seconds: float = 1.0
    run: Mapping[str, str] = field(default_factory=lambda: {"engine": "plain"})

    @property
    def store(self) -> Store:
        return Store(self.root)

    def left(
        self,
        stage: str,
        config: Mapping[str, Any],
        tables: Mapping[str, tuple[str, list[Any]]],
        metadata: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Any] | None = None,
        **inputs: Artifact,
    ) -> Artifact:
        digests = {role: one.digest for role, one in inputs.items()} or {"file": "0" * 64}
        recipe = Recipe(stage, 1, config, digests)
        draft = self.store.writer(stage, recipe.key)
        for name, content in tables.items():
            draft.write_table(name, table(*content))
        if arrays:
            draft.write_arrays("model.npz", arrays)
        if "iterations" in config:  # the notebook's
            draft.write_text("transcript.txt", "Iteration: 0, Loss: 39.9\n")
        if not (tables or arrays):  # an artifact has a file
            draft.write_text("stand-in.txt", stage)
        draft.metadata.update(metadata or {})
        origins = {role: one.origin for role, one in inputs.items()} or {"file": "lists/towns.txt"}
        return self.store.commit(draft, recipe, origins=origins, seconds=self.seconds, run=self.run)

    def inputs(self) -> dict[str, Any]:
        count = len(self.names)
        lines, ones = list(range(1, count + 1)), [1] * count
        names = ("CORPUS", [list(self.names), [self.source] * count, ones, lines, ones])

        def rejected(rows: Sequence[tuple[int, Any, str]], schema: str) -> tuple[str, list[Any]]:
            columns = ([row[place] for row in rows] for place in range(3))
            return schema, [[self.source] * len(rows), [1] * len(rows), *columns]

        corpus = self.left(
            "corpus",
            {"name": self.source, "limit": None},
            {
                "names.parquet": names,
                "rejected.parquet": rejected(self.corpus_rejected, "CORPUS_REJECTED"),
            },
        )
        merged = self.left(
            "merged",
            self.merging,
            {"names.parquet": names, "rejected.parquet": rejected(self.merge_rejected, "REJECTED")},
            **{"corpora.0": corpus},
        )
        validated = self.left(
            "validated",
            {"max_length": 49},
            {"names.parquet": names, "rejected.parquet": rejected(self.rule_rejected, "REJECTED")},
            merged=merged,
        )
        profile = self.left(
            "profile",
            {},
            {"profile.parquet": ("PROFILE", [[row[place] for row in self.counted()] for place in range(4)])},
            **{"corpora.0": corpus},
            merged=merged,
            validated=validated,
        )
        gate = self.left(
            "gate",
            {"mode": "report"},
            {"changes.parquet": ("CHANGES", [[row[place] for row in self.changes] for place in range(7)])},
            metadata={"passed": True, "reasons": []},
            profile=profile,
        )
        letters = sorted(set("".join(self.names)))
        vocabulary = self.left(
            "vocabulary",
            {},
            {
                "vocabulary.parquet": (
                    "VOCABULARY",
                    [
                        list(range(len(letters) + 1)),
                        ["\n", *letters],
                        [count, *("".join(self.names).count(letter) for letter in letters)],
                    ],
                )
            },
            validated=validated,
        )
        examples = self.left(
            "examples",
            {"seed": 0},
            {
                "examples.parquet": (
                    "EXAMPLES",
                    [
                        list(self.names),
                        [self.source] * count,
                        list(self.splits[:count]),
                        [[letters.index(letter) + 1 for letter in name] for name in self.names],
                        ones,
                    ],
                )
            },
            validated=validated,
            vocabulary=vocabulary,
        )
        model = self.left(
            "model",
            self.model_config,
            {
                "history.parquet": (
                    "HISTORY",
                    [[row[place] for row in self.history] for place in range(5)],
                )
            },
            metadata={"model_card": {"parameters": 12345, "cell": "elman"}},
            arrays=untrained(letters),
            examples=examples,
            vocabulary=vocabulary,
        )
        mixture = self.left(
            "mixture", {"order": 6}, {}, arrays=untrained(letters), model=model, examples=examples
        )
        scored = [
            (*group, metric, value, 1)
            for group, nats in self.metrics.items()
            for metric, value in (("nats_per_character", nats), ("bits_per_character", nats * 1.4427),
                                  ("perplexity", 2.718**nats))
        ]  # fmt: skip
        scored += [(model, "sample", "all", *figure) for model, *figure in self.measures]
        evaluation = self.left(
            "evaluation",
            {"sample_names": 2000},
            {"metrics.parquet": ("METRICS", [[row[place] for row in scored] for place in range(6)])},
            mixture=mixture,
            examples=examples,
        )
        names = self.left(
            "names",
            {"count": len(self.sampled)},
            {
                "names.parquet": (
                    "NAMES",
                    [
                        list(range(len(self.sampled))),
                        [name for name, _ in self.sampled],
                        [-1.5] * len(self.sampled),
                        [len(name) for name, _ in self.sampled],
                        [known for _, known in self.sampled],
                    ],
                )
            },
            mixture=mixture,
        )
        return {
            "corpora": [corpus],
            "merged": merged,
            "validated": validated,
            "profile": profile,
            "gate": gate,
            "vocabulary": vocabulary,
            "examples": examples,
            "model": model,
            "mixture": mixture,
            "evaluation": evaluation,
            "names": names,
        }

    def counted(self) -> list[tuple[str, str, str, int]]:
        lengths = Counter(map(len, self.names))
        return [
            ("taken", self.source, "", len(self.names)),
            ("distinct", self.source, "", len(set(self.names))),
            ("kept", self.source, "", len(self.names)),
            *(("length", self.source, str(length), count) for length, count in sorted(lengths.items())),
            *(
                (measure, self.source, reason, count)
                for measure, rows in (
                    ("not_read", self.corpus_rejected),
                    ("not_merged", self.merge_rejected),
                    ("not_valid", self.rule_rejected),
                )
                for reason, count in Counter(reason for *_, reason in rows).items()
            ),
            *(
                ("character", self.source, character, count)
                for character, count in sorted(Counter("".join(self.names)).items())
            ),
        ]

    def report(self) -> Artifact:
        return produced(self.root, self.inputs(), self.run)


def untrained(letters: Sequence[str]) -> dict[str, Any]:
    """A network to which every name is as likely as any other."""
    rng = np.random.default_rng(0)
    tokens = max(len(letters) + 1, 2)  # as every model that can be read has
    parameters = network.init(rng, "elman", tokens, 4, np.float32)
    return network_arrays(parameters, Vocabulary(("\n", *letters)))


def produced(root: Path, inputs: Mapping[str, Any], run: Mapping[str, str]) -> Artifact:
    artifact, _ = stages.report.produce(
        Settings(store=root), ReportConfig(), lambda _event: None, run, **inputs
    )
    return artifact


@pytest.fixture
def stand_ins(tmp_path):
    return StandIns(tmp_path / "store")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Of stand-ins as they are; for tests that only read."""
    return page_of(StandIns(tmp_path_factory.mktemp("report") / "store").report())


def page_of(report: Artifact) -> Page:
    return Page(report.text("report.html"))


def test_every_sampled_name_is_shown_as_text_whatever_it_holds(page):
    assert "script" not in page.tags
    assert "b" not in [tag for tag, _ in page.texts if "Bold" in _]
    for name in filter(None, HOSTILE):
        assert name in page.all_of("bdi")
    assert "(empty)" in page.all_of("bdi")


@given(st.text(), st.text())
def test_text_in_a_section_is_read_back_as_it_was(text, value):
    page = Page(html.render([Section("", items=[Cell(text)], table=Table([Column(value)], [[""]]))]))
    # A browser reads a carriage return as a line feed; nothing else may change.
    assert "".join(page.all_of("bdi")).replace("\r", "\n") == text.replace("\r", "\n")
    assert ("td", "data-label", value) in page.attributes


@given(st.text(max_size=200))
def test_text_made_visible_hides_nothing_and_stays_short(text):
    shown = escape_invisible(text, longest=80)
    assert shown.isprintable()
    assert shown.endswith("…") or len(text) <= 80
    assert shown == text or len(text) > 80 or not text.isprintable()


def test_a_sampled_name_that_stands_in_the_lists_is_marked(page):
    assert ("li", "class", "known") in page.attributes
    assert "Marked names are in the lists." in page.text


def test_the_page_fetches_nothing_and_runs_no_script(stand_ins):
    artifact = stand_ins.report()
    for page in (page_of(artifact), Page(publish_report(stand_ins.store, artifact).read_text())):
        assert {"script", "iframe", "object", "embed", "base", "img"}.isdisjoint(page.tags)
        for tag, name, value in page.attributes:
            assert not name.startswith("on"), (tag, name)
            assert name not in {"src", "srcset", "action", "data", "background", "poster"}, (tag, name)
            if name in ("href", "xlink:href"):
                assert value.startswith(("#", "data:")), (tag, value)
            if "url(" in value:
                assert value.startswith("url(#"), (tag, value)
        assert all("@import" not in style and "url(" not in style for style in page.all_of("style"))
        policy = next(value for _, name, value in page.attributes if name == "content" and "src" in value)
        assert policy.startswith("default-src 'none'")


def test_no_two_elements_have_one_id_and_every_reference_finds_its_own(page):
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    referenced = {value[1:] for _, name, value in page.attributes if name == "xlink:href"}
    referenced |= {value[5:-1] for _, name, value in page.attributes if name == "clip-path"}
    assert referenced
    assert referenced <= set(ids)


def test_the_page_shows_both_curves_and_both_length_distributions(page):
    labels = page.all_of("text")
    for label in ("training", "validation", "kneser-ney 6-gram", "2.400", "training names", "sampled names"):
        assert label in labels
    assert page.tags.count("svg") == 3


def test_the_scores_stand_beside_the_baselines(page):
    assert "network 2.250 nats per character, perplexity 9.49 on 1 names kept from it" in page.text
    assert "mixture 2.062" in page.text
    assert "kneser-ney 6-gram 2.125" in page.text
    assert "0.125 worse" in page.text
    assert "test, unseen 1 2.312 10.10 – – – – –" in page.text
    assert page.text.index("test 1 2.250") < page.text.index("validation 1 2.500")


def test_the_baseline_in_the_loss_plot_is_the_ngrams_and_not_the_mixture(stand_ins):
    stand_ins.metrics = {**stand_ins.metrics, ("mixture", "validation", "all"): 2.25}
    labels = page_of(stand_ins.report()).all_of("text")
    assert "kneser-ney 6-gram" in labels
    assert "mixture" not in labels


def test_what_sampled_names_are_like_stands_beside_held_out_names(page):
    assert "Of 2,000 names sampled from each model" in page.text
    assert "of 2 real names that were kept from training" in page.text
    assert "measure network mixture held-out names" in page.text
    assert "new equal no training name in any spelling 87.5% 75.0% 100.0%" in page.text
    assert page.text.index("valid would be accepted") < page.text.index("new equal no")
    assert "below 1 a model copies 1.12 – –" in page.text


def test_a_page_without_a_measured_sample_says_so(stand_ins):
    stand_ins.measures = ()
    assert "No names were sampled to be measured." in page_of(stand_ins.report()).text
    stand_ins.measures = [("rnn", "novelty", 0.5, 9)]
    assert "measure network new equal no" in page_of(stand_ins.report()).text


def test_rejected_rows_are_listed_with_reason_count_and_the_first_of_them(stand_ins):
    stand_ins.rule_rejected = [
        (line, f"<i>Bad\u200b{line}", "holds <an> invisible one") for line in range(1, 10)
    ]
    page = page_of(stand_ins.report())
    assert "1 of 5 rows were rejected." in page.text
    assert "blank line" in page.all_of("bdi")
    assert "holds <an> invisible one" in page.all_of("bdi")
    assert "towns validating holds <an> invisible one line 1" in page.text
    assert r"line 1: <i>Bad\u200b1" in page.all_of("bdi")
    assert r"line 5: <i>Bad\u200b5 9" in page.text
    assert r"line 6: <i>Bad\u200b6" not in page.all_of("bdi")


def test_the_lines_of_a_source_are_accounted_for(page):
    # Four names and a blank line: five lines; two names to train, one each to validate and test.
    assert "towns 5 4 4 4 2 1 1 3/3/8" in page.text
    assert "1 of 5 rows were rejected." in page.text


def test_the_same_inputs_give_the_same_bytes_in_another_process(stand_ins):
    report = stand_ins.report()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_report as stand_ins;"
        "from pathlib import Path; print(stand_ins.StandIns(Path(sys.argv[2])).report().digest)"
    )
    for seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(stand_ins.root.parent / seed)],
            # The backend is one that Jupyter names for whatever it starts, there or not.
            env={**os.environ, "PYTHONHASHSEED": seed, "MPLBACKEND": "module://nowhere"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == report.digest


def test_the_artifact_knows_nothing_of_when_where_and_how_long(tmp_path):
    here = StandIns(tmp_path / "here").report()
    there = StandIns(
        tmp_path / "there", seconds=99.5, run={"engine": "prefect", "flow_run": "ivory-owl"}
    ).report()
    assert here.digest == there.digest
    assert str(tmp_path) not in here.text("report.html")
    assert here.manifest().libraries["numpy"] not in page_of(here).text


def test_a_users_plotting_style_changes_nothing(stand_ins, tmp_path, monkeypatch):
    import matplotlib

    plain = stand_ins.report()
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 9)
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "path")
    assert StandIns(tmp_path / "other").report().digest == plain.digest
    assert matplotlib.rcParams["lines.linewidth"] == 9


def test_the_published_page_shows_configuration_lineage_and_timings(stand_ins):
    report = stand_ins.report()
    path = publish_report(stand_ins.store, report)
    assert path == stand_ins.root / "report.html"
    page = Page(path.read_text())
    for made in lineage(stand_ins.store, report).values():
        assert made
        assert made.recipe.key in page.all_of("bdi")
        assert f"{made.seconds:,.2f}" in page.text
    assert "model cell: elman epochs: 3 model, result parameters: 12345" in page.text
    assert "lists/towns.txt" in page.text
    assert str(stand_ins.root) not in page.text, "a store that is moved would need another page"
    assert "python " in page.text
    assert "engine plain" in page.text


def test_the_lineage_goes_from_the_sources_to_the_report(stand_ins):
    made = lineage(stand_ins.store, stand_ins.report())
    read = [stage.name for stage in stages.ALL if stage is not stages.decision]  # which is made beside it
    assert [origin.partition("/")[0] for origin in made] == read


def test_publishing_again_writes_nothing(stand_ins):
    report = stand_ins.report()
    before = publish_report(stand_ins.store, report).stat()
    after = publish_report(stand_ins.store, report).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_page_that_somebody_changed_is_published_again(stand_ins):
    report = stand_ins.report()
    path = publish_report(stand_ins.store, report)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Zo", b"zO", 1))
    assert publish_report(stand_ins.store, report).read_bytes() == whole
    path.write_bytes(whole[:-9])
    assert publish_report(stand_ins.store, report).read_bytes() == whole


def test_a_page_that_stands_already_is_not_rendered(stand_ins, monkeypatch):
    report = stand_ins.report()
    publish_report(stand_ins.store, report)
    monkeypatch.setattr(html, "render", None)  # it would import Jinja, for which a cached run does not wait
    publish_report(stand_ins.store, report)


def test_publishing_another_report_replaces_the_page(stand_ins):
    first = publish_report(stand_ins.store, stand_ins.report()).read_bytes()
    stand_ins.sampled = [("Another", False)]
    assert publish_report(stand_ins.store, stand_ins.report()).read_bytes() != first
    assert [path.name for path in stand_ins.root.iterdir() if path.is_file()] == ["report.html"]


def test_a_cached_report_shows_the_configuration_of_this_run(stand_ins):
    first = stand_ins.report()
    stand_ins.merging = {"duplicates": "keep"}  # which here leaves the same bytes
    inputs = stand_ins.inputs()
    again = produced(stand_ins.root, inputs, stand_ins.run)
    assert again == first
    run = [*inputs.pop("corpora"), *inputs.values(), again]
    assert "duplicates: drop" in Page(publish_report(stand_ins.store, again).read_text()).text
    assert "duplicates: keep" in Page(publish_report(stand_ins.store, again, run).read_text()).text


def test_an_artifact_that_is_gone_is_named_as_gone(stand_ins):
    report = stand_ins.report()
    gone = next(made for made in stand_ins.store.list() if made.recipe.stage == "merged")
    stand_ins.store.remove(
        Artifact("merged", gone.recipe.key, gone.digest, stand_ins.store.folder("merged", gone.recipe.key))
    )
    assert "no longer in the store" in Page(publish_report(stand_ins.store, report).read_text()).text


def test_empty_tables_leave_a_page_that_says_so(stand_ins):
    stand_ins.names, stand_ins.sampled, stand_ins.history, stand_ins.metrics = (), (), (), {}
    stand_ins.corpus_rejected = stand_ins.merge_rejected = ()
    report = stand_ins.report()
    text = page_of(report).text
    for text_of_none in (
        "No names were sampled.",
        "No history was recorded.",
        "Nothing was scored.",
        "No rows were rejected.",
        "There are no names to measure.",
        "No lists were accepted before",
        "0 names kept from 0 lines.",
    ):
        assert text_of_none in text
    assert "nan" not in text.split()
    publish_report(stand_ins.store, report)


def test_the_notebooks_recipe_has_one_curve_and_no_held_out_names(stand_ins):
    stand_ins.model_config = {"iterations": 30, "hidden_size": 50}
    stand_ins.splits = ("train",) * 4
    stand_ins.history = [(step, step / 4, 30.0 - step / 1000, None, 0.01) for step in range(1, 22_002)]
    stand_ins.metrics = {("rnn", "train", "all"): 2.0, ("kneser-ney 6-gram", "train", "all"): 1.0}
    report = stand_ins.report()
    page = page_of(report)
    assert "validation" not in page.all_of("text")
    assert "nats per name, smoothed" in page.all_of("text")
    assert "No name was kept from it." in page.text
    assert "22,001 steps, no validation" in page.text
    assert "nan" not in page.text.split()
    assert (report.folder / "report.html").stat().st_size < 100_000


def test_a_loss_that_is_not_finite_is_shown_as_a_gap(stand_ins):
    infinite = float("inf")
    stand_ins.history = [(1, 1.0, 3.0, None, 0.1), (2, 2.0, infinite, infinite, 0.1)]
    stand_ins.metrics = {("rnn", "test", "all"): infinite, ("kneser-ney 6-gram", "test", "all"): 2.0}
    page = page_of(stand_ins.report())
    assert "network – nats per character" in page.text
    assert "no validation" in page.text
    assert page.tags.count("svg") == 3


def test_the_page_shows_what_each_list_is_like_whatever_it_is_called(stand_ins):
    for source in ("_<b>$x$ ", "李小龍 محمد"):
        stand_ins.source = source
        page = page_of(stand_ins.report())
        assert f"{source.strip()} 5 4 4 4 2 1 1 3/3/8" in page.text  # shortest, median and longest
        assert any(source.strip() in text for text in page.all_of("text"))
        assert "b" not in page.tags or source not in page.all_of("b")


def test_the_page_shows_what_the_gate_found(stand_ins):
    stand_ins.changes = [
        ("rows_lost", "", 4318.0, 2159.0, 0.5, 0.1, False),
        ("rows_gained", "", 4318.0, 2159.0, 0.0, 1.0, True),
        ("rows", "<towns>", 4318.0, 2159.0, -0.5, None, True),
        ("rows", "rivers", 0.0, 9.0, float("inf"), None, True),
        *(("new_character", chr(0x300 + number), 0.0, 1.0, 0.01, None, True) for number in range(80)),
    ]
    text = page_of(stand_ins.report()).text
    assert "names lost 4,318 2,159 50.0% 10.0% too much" in text
    assert "names of <towns> 4,318 2,159 -50.0%" in text
    assert "names of rivers 0 9 new" in text
    assert "new: ◌\u0300 0 1 1.0%" in text
    assert "And 24 more characters, in changes.parquet." in text


def test_a_big_run_still_makes_a_small_page(stand_ins):
    long = [chr(0x4E00 + number) * 49 for number in range(600)]
    stand_ins.names, stand_ins.splits = long, ("train",) * len(long)
    stand_ins.sampled = [(name, False) for name in long]
    stand_ins.rule_rejected = [(line, "x" * 10_000, f"reason {line % 50}") for line in range(1, 400)]
    assert publish_report(stand_ins.store, stand_ins.report()).stat().st_size < 500_000


def test_a_real_run_of_every_stage_ends_in_a_page(tmp_path):
    from flows.pipeline import pipeline
    from rnn_core.sample.sampler import SamplingConfig
    from rnn_core.train.config import TrainingConfig
    from tasks.config.sources import Source
    from tasks.engines.plain import stage_runner

    (tmp_path / "towns.txt").write_text("".join(f"Town{number % 97}\n\n" for number in range(300)))
    config = RetrainConfig(
        sources=(Source("<towns>", str(tmp_path / "towns.txt")),),
        training=TrainingConfig(hidden_size=4, epochs=2),
        sampling=SamplingConfig(count=20),
    )
    settings = Settings(store=tmp_path / "store")
    with stage_runner(settings, lambda _event: None) as run:
        pipeline(config, run)
    text = Page((settings.store / "report.html").read_text()).text
    assert "20 names, learned from <towns>" in text
    assert "503 of 600 rows were rejected." in text
    assert "<towns> reading blank line line 2: nothing" in text
    assert "<towns> merging duplicate of an earlier name line 195: Town0" in text


def test_names_are_shown_by_temperature(page):
    assert "Names by temperature at 0.5 at 0.8 at 1 at 1.2" in page.text
    assert "Drawn from the network. Of each 12, in none of the lists: " in page.text


def test_names_by_temperature_are_the_same_every_time_and_bolder_when_it_is_hot(stand_ins):
    letters = sorted(set("".join(stand_ins.names)))
    models = load_models(stand_ins.inputs()["mixture"])
    known = pa.chunked_array([["Bar"]], pa.string())
    drawn = [temperature_samples(models, None, Vocabulary(("\n", *letters)), known, None) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert [sample.temperature for sample in drawn[0]] == [0.5, 0.8, 1.0, 1.2]
    assert all(sample.new == len([name for name in sample.names if name != "Bar"]) for sample in drawn[0])


def test_the_outline_says_the_same_in_markdown(stand_ins):
    report = stand_ins.report()
    outline = report.text("report.md")
    for title in ("How well it predicts names", "Names by temperature", "Loss", "What its names are like"):
        assert f"## {title}" in outline
    assert "| test | 1 | 2\\.250 (9\\.49) | 2\\.062 (7\\.86) | 2\\.125 (8\\.37) | 0\\.125 worse |" in outline
    assert outline.count("(data:image/svg+xml;base64,") == 3
    assert "| towns | reading | blank line (line 3\\: nothing) | 1 |" in outline


def test_the_published_page_compares_the_last_models(stand_ins):
    for nats in (2.75, 2.5, 2.25):
        stand_ins.metrics = {("rnn", "test", "all"): nats, ("kneser-ney 6-gram", "test", "all"): 2.125}
        stand_ins.names = (f"Town {nats}", "Bar", "Carhué", "Dos")
        report = stand_ins.report()
    runs = past_runs(stand_ins.store)
    assert sorted(run.nats["rnn"] for run in runs) == [2.25, 2.5, 2.75]
    assert all(run.nats["n-grams"] == 2.125 and run.sample["novelty"] == 0.875 for run in runs)
    page = Page(publish_report(stand_ins.store, report).read_text())
    assert "The last models" in page.text
    assert page.text.count("(this)") == 1
    assert page.tags.count("polyline") == 1


def test_the_published_page_says_which_model_from_which_lists(stand_ins):
    inputs = stand_ins.inputs()
    report = produced(stand_ins.root, inputs, stand_ins.run)
    (mixture,) = (made for made in stand_ins.store.list() if made.recipe.stage == "mixture")
    key = mixture.recipe.key
    model = Artifact("mixture", key, mixture.digest, stand_ins.store.folder("mixture", key))
    page = Page(publish_report(stand_ins.store, report, [model]).read_text())
    line = f"{key[:6]} · towns (4 names), trained {mixture.created_at[:10]}."
    assert f"The new model {line} What stands out in the lists only 4 names" in page.text


def test_an_evaluation_that_cannot_be_read_costs_no_page(stand_ins):
    report = stand_ins.report()
    (made,) = (each for each in stand_ins.store.list() if each.recipe.stage == "evaluation")
    (stand_ins.store.folder("evaluation", made.recipe.key) / "metrics.parquet").write_bytes(b"")
    assert past_runs(stand_ins.store) == []
    assert "The last models" in Page(publish_report(stand_ins.store, report).read_text()).text


def test_the_published_page_shows_the_decision_and_its_figures(stand_ins):
    inputs = stand_ins.inputs()
    report = produced(stand_ins.root, inputs, stand_ins.run)
    draft = stand_ins.store.writer("decision", "0" * 32)
    figures = [Figure("novelty", 0.875, 0.75, 0.125, limit=0.1, kept=True), Figure("validity", None, None)]
    draft.write_table("decision.parquet", decision_table(figures))
    draft.metadata.update(promote=True, reasons=["it is <better>"], notes=["left out: 3"])
    recipe = Recipe("decision", 1, {}, {"evaluation": inputs["evaluation"].digest})
    decision = stand_ins.store.commit(draft, recipe, origins={}, seconds=1.0, run=stand_ins.run)
    page = Page(publish_report(stand_ins.store, report, [decision]).read_text())
    assert "the new model deserves to be the champion. it is <better> left out: 3" in page.text
    assert "novelty 0.875 0.75 0.125 – – 0.1 yes" in page.text
    titles = ("Names", "The new model", "In numbers", "Champion and candidate")
    places = [page.texts.index(("bdi", title)) for title in titles]
    assert places == sorted(places), "names first, then what happened, then the numbers"
    assert page.tags.count("details") == page.tags.count("summary") >= 6
    assert "By the rule" not in Page(publish_report(stand_ins.store, report).read_text()).text


@pytest.mark.parametrize(
    ("kind", "lead"),
    [
        ("promoted", "The new model is the champion. It was compared with mixture/222222222222."),
        ("stands", "The new model is the champion. It was compared with mixture/222222222222."),
        ("rolled_back", "it did <well>, but. It was compared with mixture/222222222222."),
    ],
)
def test_the_published_page_says_what_became_of_the_new_model(stand_ins, kind, lead):
    inputs = stand_ins.inputs()
    report = produced(stand_ins.root, inputs, stand_ins.run)
    draft = stand_ins.store.writer("decision", "0" * 32)
    draft.write_table("decision.parquet", decision_table([]))
    draft.metadata.update(promote=True, reasons=[], notes=[])
    recipe = Recipe("decision", 1, {}, {"champion": "3" * 64})
    origins = {"champion": f"mixture/{'2' * 32}"}
    decision = stand_ins.store.commit(draft, recipe, origins=origins, seconds=1.0, run=stand_ins.run)
    came = Outcome(kind, Reference("mixture", "1" * 32, "4" * 64), None, "it did <well>, but")
    assert lead in Page(publish_report(stand_ins.store, report, [decision], came).read_text()).text
