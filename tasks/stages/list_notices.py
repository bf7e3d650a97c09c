"""What stands out in the input lists, in a line each: what a person would want to know before training.

It is computed from the profile, and from the weights of the names where they differ.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.profile import Profile
from tasks.report.text import escape_invisible
from tasks.stages.corpora import NAMES, REJECTED
from tasks.stages.name_notices import name_notices
from tasks.stages.profiling import load_profile

FEW_NAMES = 200
_LETTERS = 20  # fewer say nothing of the case of a list
_CAPITALS, _SMALL_LETTERS = 0.9, 0.995  # shares of the letters of a list that is nearly all one case
_CODE_CHARACTERS = frozenset("0123456789_#@=/\\")
_OF_A_CODE = 1.0  # of these characters in a name, on average
_HEAVY, _OUTLIER = 0.1, 5.0  # share of all weight of one name, and how often it has that of the second
# Words of a row that stands for many names, in published lists of several countries.
_AGGREGATE = frozenset(
    """
    other others total totals unknown unspecified unnamed stated rest sum rare rares autres otros otras
    outros altri totale sonstige übrige insgesamt gesamt summe övriga øvrige andre muut inne razem
    прочие другие всего その他 合計 其他 总计 總計 기타 n/a null
    """.split()  # noqa: SIM905  # as a text it can be read
)
_AGGREGATE_SHARE = 0.03
_LOST, _DROPPED = 0.05, 0.2  # shares of all weight
_LOST_TO_ROWS = 2.0  # how much heavier than others rejected rows are
_ROWS_READ = 100_000  # of those that were rejected

_NUMBER = re.compile(rb"\d{1,3}(?:[.,' \xa0]\d{3})+|\d+")

Weights = npt.NDArray[np.float64]


def list_notices(
    corpora: Sequence[Artifact], merged: Artifact, validated: Artifact, profile: Artifact
) -> list[str]:
    """What stands out in the lists that these stages left; empty if nothing does.

    corpora:  of the stage `corpus`, one for each list.
    """
    lists = load_profile(profile)
    return [
        *_size_notices(lists),
        *(notice for source in lists.sources for notice in _spelling_notices(lists, source, corpora)),
        *name_notices(corpora),
        *_weight_notices(corpora, merged, validated),
    ]


def _size_notices(lists: Profile) -> Iterator[str]:
    names = lists.count("kept")
    if names < FEW_NAMES:
        yield (
            f"only {names:,} name{'' if names == 1 else 's'}: expect many that copy or recombine names of "
            f"the list. More names of the same kind help most; {2 * FEW_NAMES:,} already do much."
        )


def _spelling_notices(lists: Profile, source: str, corpora: Sequence[Artifact]) -> Iterator[str]:
    title, counts = escape_invisible(source), lists.counts("character", source)
    capitals = sum(count for character, count in counts.items() if character.isupper())
    # Georgian has capitals, but no name begins with one.
    small = sum(count for character, count in counts.items() if character.title() != character)
    if capitals + small >= _LETTERS and capitals >= _CAPITALS * (capitals + small):
        yield (
            f"{title}: {capitals / (capitals + small):.0%} of its letters are capitals, and so it will be in "
            'the sampled names. case = "title" in the source turns ANNA into Anna.'
        )
    elif capitals + small >= _LETTERS and small >= _SMALL_LETTERS * (capitals + small):
        yield (
            f"{title}: nearly all its letters are small, and so it will be in the sampled names. "
            'case = "title" in the source turns anna into Anna.'
        )
    signs = sum(counts.get(character, 0) for character in _CODE_CHARACTERS)
    per_name = signs / max(lists.count("kept", source), 1)
    if per_name >= _OF_A_CODE:
        example = _example_of_a_code(source, corpora)
        yield (
            f"{title}: its names look like codes, such as {example}, with {per_name:.1f} digits or signs "
            "each. Is it the right column?"
        )


def _example_of_a_code(source: str, corpora: Sequence[Artifact]) -> str:
    for corpus in corpora:
        head = corpus.table(NAMES, ["name", "source"]).slice(0, _ROWS_READ)
        if len(head) and head["source"][0].as_py() == source:
            names = (name for name in head["name"].to_pylist() if _CODE_CHARACTERS & set(name))
            return repr(escape_invisible(next(names, ""), 40))
    return "these"


def _weight_notices(corpora: Sequence[Artifact], merged: Artifact, validated: Artifact) -> Iterator[str]:
    for corpus in corpora:
        yield from _unread_counts(corpus)
    if not any(map(_has_weights, corpora)):
        return  # every row of a list counts alike
    read, kept = (_by_source([artifact]) for artifact in (merged, validated))
    for source, weights in kept.items():
        yield from _heavy_name(source, weights, validated)
        yield from _heavy_rejections(source, read[source], weights)
    yield from _dropped_repeats(_by_source(corpora), read)


def _has_weights(corpus: Artifact) -> bool:
    lightest, heaviest = pc.min_max(corpus.table(NAMES, ["weight"])["weight"]).as_py().values()
    return bool(lightest != heaviest)


def _by_source(artifacts: Sequence[Artifact]) -> dict[str, Weights]:
    """The weights of all rows, by source."""
    table = pa.concat_tables([artifact.table(NAMES, ["source", "weight"]) for artifact in artifacts])
    weights, codes = table["weight"].to_numpy(), table.unify_dictionaries()["source"].combine_chunks()
    sources = codes.dictionary.to_pylist()
    return {source: weights[codes.indices.to_numpy() == place] for place, source in enumerate(sources)}


def _heavy_name(source: str, weights: Weights, validated: Artifact) -> Iterator[str]:
    """The heaviest name, if it is far above the second, or reads like a sum of other names."""
    if len(weights) < 2 or not weights.sum():
        return
    place = int(np.argmax(weights))
    share = float(weights[place] / weights.sum())
    is_outlier = share >= _HEAVY and weights[place] >= _OUTLIER * float(np.partition(weights, -2)[-2])
    if not is_outlier and share < _AGGREGATE_SHARE:
        return
    table = validated.table(NAMES, ["name", "source"])
    name = table["name"].filter(pc.equal(table["source"].cast(pa.string()), source))[place].as_py()
    if is_outlier or _AGGREGATE & {name.casefold(), *re.split(r"[\W_\d]+", name.casefold())}:
        yield (
            f"{escape_invisible(source)}: one name has {share:.0%} of all weight: "
            f"{escape_invisible(name)!r}. If it stands for many names, take its row out of the list."
        )


def _heavy_rejections(source: str, read: Weights, kept: Weights) -> Iterator[str]:
    rows, weight = 1.0 - len(kept) / max(len(read), 1), 1.0 - kept.sum() / max(read.sum(), 1e-300)
    if weight >= _LOST and weight >= _LOST_TO_ROWS * rows:
        yield (
            f"{escape_invisible(source)}: validation rejected {rows:.1%} of the names, with {weight:.0%} of "
            "all weight: they are among the most frequent. See the rejected rows."
        )


def _dropped_repeats(read: Mapping[str, Weights], merged: Mapping[str, Weights]) -> Iterator[str]:
    before, after = (sum(float(weights.sum()) for weights in sums.values()) for sums in (read, merged))
    weight = 1.0 - after / max(before, 1e-300)
    if weight >= _DROPPED:
        yield (
            f"merging dropped repeated names with {weight:.0%} of all weight; "
            'merging.duplicates = "count" adds up the counts of equal names.'
        )


def _unread_counts(corpus: Artifact) -> Iterator[str]:
    """Rows whose count could not be read, if by their digits they are the heaviest."""
    rejected = corpus.table(REJECTED).slice(0, _ROWS_READ)
    rejected = rejected.filter(pc.match_substring(rejected["reason"], "count"))
    if not len(rejected):
        return
    numbers = [max(map(_whole, _NUMBER.findall(raw)), default=0) for raw in rejected["raw"].to_pylist()]
    weights = corpus.table(NAMES, ["weight"])["weight"].to_numpy()
    lost = sum(numbers) * float(corpus.manifest().recipe.config["weight"])
    rows, weight = len(rejected) / (len(rejected) + len(weights)), lost / max(lost + weights.sum(), 1e-300)
    if weight >= _LOST and weight >= _LOST_TO_ROWS * rows:
        source, place = rejected["source"][0].as_py(), int(np.argmax(numbers))
        raw = rejected["raw"][place].as_py().decode(errors="backslashreplace").strip()
        yield (
            f"{escape_invisible(source)}: {len(rejected):,} rows ({rows:.1%}) were rejected for their count, "
            f"and by its digits they have {weight:.0%} of all weight, such as {escape_invisible(raw)!r}."
        )


def _whole(digits: bytes) -> int:
    return min(int(re.sub(rb"\D", b"", digits)), 10**15)
