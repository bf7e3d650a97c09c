"""What stands out in the input lists is said in a line each, before anything is trained."""

import re
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.config import MergingConfig, ValidationConfig
from flows.pipeline import lists
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.engines.plain import SequentialRunner
from tasks.views.data_summary import ListStages

CITIES = [
    f"{first}{middle}{last}"
    for first in ("Al", "Be", "Ci", "Du", "El", "Fo", "Gi")
    for middle in ("ra", "no", "li", "mu", "ste", "van")
    for last in ("berg", "dale", "ford", "gate", "mere", "wick")
]
COUNTS = {"format": "csv", "column": "name", "counts": "count"}


def notices(folder: Path, rows: Sequence[str], source: Any = None, **parts: Any) -> list[str]:
    """Of one list with these lines."""
    path = folder / ("list.csv" if source else "list.txt")
    path.write_text("\n".join(rows) + "\n")
    config = RetrainConfig(sources=(Source("towns", str(path), **(source or {})),), **parts)
    stages = ListStages()
    lists(config, SequentialRunner(Settings(folder / uuid.uuid4().hex), stages))
    return stages.notices()


def counted(rows: dict[str, object]) -> list[str]:
    return ["name,count", *(f'{name},"{count}"' for name, count in rows.items())]


def test_nothing_stands_out_in_a_list_of_names(tmp_path: Path) -> None:
    assert notices(tmp_path, CITIES) == []


def test_nothing_stands_out_in_names_as_frequent_as_names_are(tmp_path: Path) -> None:
    rows = counted({name: 2_000_000 // (rank + 1) for rank, name in enumerate(CITIES)})
    assert notices(tmp_path, rows, COUNTS) == []


@pytest.mark.parametrize(
    ("name", "count", "share"),
    [
        ("ALL OTHER NAMES", 30_000, "59%"),
        ("Zzyx", 30_000, "59%"),
        ("Total", 1_000, "5%"),
        ("Unknown", 800, "4%"),
        ("_PRENOMS_RARES", 800, "4%"),
        ("Übrige Namen", 800, "4%"),
        ("その他", 800, "4%"),
    ],
)
def test_one_row_with_an_absurd_share_of_all_counts_is_named(
    tmp_path: Path, name: str, count: int, share: str
) -> None:
    rows = counted({**{city: 50 + rank % 70 for rank, city in enumerate(CITIES)}, name: count})
    (notice,) = notices(tmp_path, rows, COUNTS)
    assert notice.startswith(f"towns: one name has {share} of all weight: '{name}'.")


def test_the_most_frequent_name_of_a_list_is_not_worth_a_line(tmp_path: Path) -> None:
    rows = counted({**{city: 50 + rank % 70 for rank, city in enumerate(CITIES)}, "Otherton": 900})
    assert notices(tmp_path, rows, COUNTS) == []


@pytest.mark.parametrize(
    ("write", "text"),
    [(str.upper, "% of its letters are capitals"), (str.lower, "nearly all its letters are small")],
)
def test_a_list_of_nearly_one_case_is_said(tmp_path: Path, write: Callable[[str], str], text: str) -> None:
    (notice,) = notices(tmp_path, [*map(write, CITIES), "McDonald"])
    assert notice.startswith("towns: ")
    assert text in notice


def test_a_script_without_capitals_has_no_case_to_say(tmp_path: Path) -> None:
    georgian = [f"{first}{last}ი" for first in "აბგდევზთიკლმნოპჟრსტუ" for last in "აბგდევზთიკლმ"]
    assert notices(tmp_path, georgian) == []


def test_names_that_look_like_codes_are_reported_with_an_example(tmp_path: Path) -> None:
    assert notices(tmp_path, [*CITIES, "Apollo 11", "Unit_7"]) == []
    codes = [f"Ab-{number:04}" for number in range(300)]
    (notice,) = notices(tmp_path, codes)
    assert notice.startswith("towns: its names look like codes, such as 'Ab-0000', with 4.0 digits")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            ["JosÃ©", "ZoÃ«"],
            "2 of its names look like UTF-8 that was read as another encoding, such as 'JosÃ©'.",
        ),
        ([f'"{city}"' for city in CITIES], "are in quotes, which belong to the names, such as"),
        (["O&#39;Neil", "Jos&eacute;"], "2 of its names hold HTML entities, such as 'O&#39;Neil'."),
        ([r"Jos\u00e9"] + [f"Zo%C3%AB{letter}" for letter in "abcd"], "5 of its names hold escapes"),
        (["# made by hand", "// CC0"], "2 of its names begin like a comment, such as '# made by hand'."),
        ([f"{city} - a town" for city in CITIES], "hold dashes or brackets"),
    ],
    ids=["encoding", "quotes", "entities", "escapes", "comments", "meanings"],
)
def test_names_that_nobody_would_write_so_are_said_with_an_example(
    tmp_path: Path, names: list[str], text: str
) -> None:
    assert any(
        notice.startswith("towns: ") and text in notice for notice in notices(tmp_path, [*CITIES, *names])
    )
    assert (
        notices(tmp_path, [*CITIES, "Ånge", "Saint-Malo (France)", "L'Aquila", "Łódź", "'s-Gravenhage"]) == []
    )


def test_a_heading_above_a_text_is_said(tmp_path: Path) -> None:
    for heading in ("Name", "FIRST NAME"):
        (notice,) = notices(tmp_path, [heading, *CITIES])
        assert (
            notice
            == f"towns: its first name, {heading!r}, looks like a heading. If it is one: skip_rows = 1."
        )
        assert notices(tmp_path, [heading, *CITIES], {"skip_rows": 1, "format": "text"}) == []


def test_a_column_that_is_left_in_every_line_is_said(tmp_path: Path) -> None:
    (notice,) = notices(tmp_path, [f"{city} {'FM'[rank % 2]}" for rank, city in enumerate(CITIES)])
    assert notice.startswith("towns: nearly all its names end in the same words: 'F', 'M'.")


def test_a_short_list_says_what_to_expect_and_what_helps(tmp_path: Path) -> None:
    (notice,) = notices(tmp_path, CITIES[:60])
    assert notice.startswith("only 60 names: expect many that copy or recombine names of the list.")
    assert "help most" in notice


def test_rejections_of_the_most_frequent_names_are_said_with_their_weight(tmp_path: Path) -> None:
    rows = counted({**dict.fromkeys(CITIES, 10), "Ünderwald": 3_000, "Ünterau": 2_500})
    validation = ValidationConfig(characters="".join(sorted(set("".join(CITIES)))))
    assert notices(tmp_path, rows, COUNTS, validation=validation) == [
        "towns: validation rejected 0.8% of the names, with 69% of all weight: they are among the most "
        "frequent. See the rejected rows."
    ]


def test_counts_with_marks_that_drop_the_most_frequent_names_are_said(tmp_path: Path) -> None:
    rows = counted({**dict.fromkeys(CITIES, 10), "Smith": "2442977*", "Jones": "1425470*", "Bad": "none"})
    (notice,) = notices(tmp_path, rows, COUNTS)
    assert notice.startswith(
        "towns: 3 rows (1.2%) were rejected for their count, and by its digits they have"
    )
    assert "100% of all weight, such as 'Smith,\"2442977*\"'" in notice


def test_an_invalid_count_without_heavy_digits_is_not_worth_a_line(tmp_path: Path) -> None:
    assert notices(tmp_path, counted({**dict.fromkeys(CITIES, 10), "Alia": 11, "Bad": "none"}), COUNTS) == []


def test_repeated_names_whose_counts_are_dropped_are_said(tmp_path: Path) -> None:
    rows = ["name,count", *(f"{city},{10 + year}" for year in range(5) for city in CITIES)]
    (notice,) = notices(tmp_path, rows, COUNTS)
    assert notice.startswith("merging dropped repeated names with 83% of all weight; merging.duplicates")
    assert notices(tmp_path, rows, COUNTS, merging=MergingConfig(duplicates="count")) == []


def test_the_commands_and_the_report_say_it(
    namewright: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "towns.txt").write_text("\n".join(name.upper() for name in CITIES[:60]))
    options = ["--source", "towns=towns.txt", "--store", "store"]
    shown = namewright("data", *options).stdout
    assert shown.startswith("What stands out in the lists:\n  only 60 names: ")
    small = ["--training.max-steps", "2", "--evaluation.sample-names", "20", "--sampling.count", "5"]
    for _ in range(2):  # a cached run says it as well
        printed = namewright("run", "--engine", "plain", *options, *small).stdout.splitlines()
        notes = [line for line in printed if line.startswith("note: ")]
        assert [note.partition("names")[0] for note in notes][:1] == ["note: only 60 "]
        assert "towns: 100% of its letters are capitals" in notes[1]
        model = next(line for line in reversed(printed) if line.startswith("model: "))
        assert re.fullmatch(
            r"model: [0-9a-f]{6} · towns \(60 names\), trained today; names drawn from its mixture", model
        )
    page = (tmp_path / "store" / "report.html").read_text()
    assert "What stands out in the lists" in page
    assert "100% of its letters are capitals" in page
