"""Validation: the rules as a pandera schema on an Arrow table, which finds every failure at once."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data import schemas
from data.config import ValidationConfig
from data.corpus import CheckedRows
from data.rare_characters import without_rare
from data.schemas import Rule
from data.text.columns import batches, characters_class
from data.text.strings import counts_of_characters

Mask = npt.NDArray[np.bool_]
RowCheck = Callable[[pa.ChunkedArray], Mask]  # true for the names that pass

# Controls, and the invisible ones that turn or join what stands beside them, or only look like a space. Not
# the joiners U+200C and U+200D: Persian, the scripts of India and emoji are written with them.
_INVISIBLE = (
    r"[\p{Cc}\p{Zl}\p{Zp}\x{AD}\x{61C}\x{180E}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}"
    r"\x{3164}\x{FEFF}\x{FFA0}\x{FFF9}-\x{FFFB}\x{E0000}-\x{E007F}]"
)
_LEADING_MARK = r"^[\p{M}\x{200C}\x{200D}]"

# RE2 has no name for what is unassigned, and knows an older Unicode than `regex`: that one has the last word.
_MAYBE_UNASSIGNED = r"[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}]|\x{FFFD}"
_UNASSIGNED = r"[\p{Cn}\p{Co}\uFFFD]"

# Characters that can share a cluster with the one before or after, but for Hangul syllables, which do so
# beside a jamo alone.
_JOINING = (
    r"[^\p{L}\p{N}\p{P}\p{S}\p{Z}]|[\x{D4E}\x{E33}\x{EB3}\x{1100}-\x{11FF}\x{A960}-\x{A97F}\x{D7B0}-\x{D7FF}"
    r"\x{FF9E}\x{FF9F}\x{111C2}\x{111C3}\x{1193F}\x{11941}\x{11A84}-\x{11A89}\x{11D46}\x{11F02}"
    r"\x{1F1E6}-\x{1F1FF}\x{1F3FB}-\x{1F3FF}]"
)
_ROWS = 1 << 20  # checked at once; fewer of long ones

_CLUSTER = r"\X"
_CODE_POINTS_PER_CLUSTER = 8  # on average: any number of combining marks make one cluster with a letter


class ValidationResult(NamedTuple):
    """The accepted rows, the rejected ones with the reason, and what was removed from names.

    rejected:        in parts, at least one.
    removed:         the characters removed from accepted names, each with its number of occurrences.
    shortened_rows:  accepted rows from which characters were removed.
    new_duplicates:  those of them that equal another accepted name since.
    """

    names: pa.Table
    rejected: Iterator[pa.Table]
    removed: dict[str, int]
    shortened_rows: int
    new_duplicates: int


def validate(lines: pa.Table, config: ValidationConfig) -> CheckedRows:
    """The names that keep the rules, and a rejected row for each rule that a name breaks.

    Without the rule on rare characters, which is about a whole corpus and not about a name.
    """
    failed = _failures(lines["name"], config)
    rejected = pa.concat_tables(_rejected(lines, failed))
    return CheckedRows(lines.filter(pa.array(_passing(failed, len(lines)))), rejected)


def validate_corpus(merged: pa.Table, config: ValidationConfig) -> ValidationResult:
    """As `validate`, with the rule on rare characters too."""
    failed = _failures(merged["name"], config)
    passing = _passing(failed, len(merged))
    kept = merged.filter(pa.array(passing)) if len(failed) else merged
    common = without_rare(kept["name"], config, lambda names: _failures(names, config))
    places = np.flatnonzero(passing)[common.failed["index"].to_numpy()]
    later = common.failed.set_column(0, "index", pa.array(places))
    if len(later):
        kept = kept.filter(pa.array(_passing(common.failed, len(kept))))
    spelled = kept.set_column(0, "name", common.names)
    rejected = _rejected(merged, pa.concat_tables([failed, later]))
    return ValidationResult(spelled, rejected, *_removed(kept["name"], common.names))


def _removed(before: pa.ChunkedArray, after: pa.ChunkedArray) -> tuple[dict[str, int], int, int]:
    """Removed characters, changed rows, and those of them that equal another name since."""
    changed = pc.not_equal(before, after)
    now = after.filter(changed)
    if not len(now):
        return {}, 0, 0
    lost = counts_of_characters(before.filter(changed)) - counts_of_characters(now)
    # A letter and an accent that became one are lost; what they became is not.
    removed = {chr(code_point): int(lost[code_point]) for code_point in np.flatnonzero(lost > 0)}
    equal = after.filter(pc.is_in(after, now.unique()))
    several = [row["values"] for row in equal.value_counts().to_pylist() if row["counts"] > 1]
    doubled = pc.sum(pc.is_in(now, pa.array(several, pa.string()))).as_py()
    return removed, len(now), doubled


def _passing(failed: pa.Table, count: int) -> Mask:
    """(count,) whether a row has no failure."""
    passing = np.ones(count, bool)
    passing[failed["index"].to_numpy()] = False
    return passing


def _rejected(lines: pa.Table, failed: pa.Table) -> Iterator[pa.Table]:
    failed = failed.sort_by([("index", "ascending"), ("reason", "ascending")])
    index = failed["index"].to_numpy()
    for begin, part in batches(lines.select(["source", "file", "line", "name"]), _ROWS):
        first, end = np.searchsorted(index, [begin, begin + len(part)])
        rejected = part.take(pa.array(index[first:end] - begin))
        yield rejected.append_column("reason", failed["reason"].slice(first, end - first))


def _failures(names: pa.ChunkedArray, config: ValidationConfig) -> pa.Table:
    """Every rule that a name breaks: the name's index and the reason.

    Of some names at a time: pandera copies those that fail, once for every rule.
    """
    rules, failed = _rules(config), []
    for begin, part in batches(names, _ROWS):
        found = schemas.failures(part, rules)
        failed.append(found.set_column(0, "index", pc.add(found["index"], begin)))
    return pa.concat_tables(failed)


def _rules(config: ValidationConfig) -> list[Rule]:
    most = _CODE_POINTS_PER_CLUSTER * config.max_length
    return [
        Rule(
            f"shorter than {config.min_length} or longer than {config.max_length} characters",
            lambda names: _length_allowed(names, config),
        ),
        Rule(
            f"longer than {most:,} code points",
            lambda names: pc.less_equal(pc.utf8_length(names), most).to_numpy(),
        ),
        Rule(
            "holds a control or an invisible character",
            _unless_ascii(lambda names: ~_matches(names, _INVISIBLE)),
        ),
        Rule(
            "begins with a combining mark or a joiner",
            _unless_ascii(lambda names: ~_matches(names, _LEADING_MARK)),
        ),
        Rule("holds a private, unassigned or replacement character", _unless_ascii(_all_assigned)),
        *_character_rules(config),
    ]


def _unless_ascii(check: RowCheck) -> RowCheck:
    """The same check, which names of printable ASCII pass unseen."""

    def check_others(names: pa.ChunkedArray) -> Mask:
        special = ~pc.ascii_is_printable(names).to_numpy()
        rows = np.ones(len(names), bool)
        rows[special] = check(names.filter(pa.array(special)))
        return rows

    return check_others


def _length_allowed(names: pa.ChunkedArray, config: ValidationConfig) -> Mask:
    """Whether the length is allowed, in grapheme clusters: as many as code points, or fewer."""
    length = pc.utf8_length(names).to_numpy().astype(np.int64)
    counted_from = config.min_length if config.min_length > 1 else config.max_length + 1
    unsure = np.flatnonzero(length >= counted_from)
    if len(unsure):
        import regex  # slow to import, and most lists need none

        unsure = unsure[_matches(names.take(pa.array(unsure)), _JOINING)]
        length[unsure] = [
            len(regex.findall(_CLUSTER, name)) for name in names.take(pa.array(unsure)).to_pylist()
        ]
    fits: Mask = (length >= config.min_length) & (length <= config.max_length)
    return fits


def _all_assigned(names: pa.ChunkedArray) -> Mask:
    meaningful = ~_matches(names, _MAYBE_UNASSIGNED)
    suspects = names.filter(pa.array(~meaningful)).to_pylist()
    if suspects:
        import regex  # slow to import, and most lists need none

        meaningful[~meaningful] = [not regex.search(_UNASSIGNED, name) for name in suspects]
    return meaningful


def _character_rules(config: ValidationConfig) -> Iterator[Rule]:
    """At most one rule."""
    named = characters_class(map(ord, config.characters))
    if config.scripts:
        scripts = "".join(rf"\p{{{script}}}" for script in (*config.scripts, "Common", "Inherited"))
        foreign = f"[^{scripts}{named}]"
        yield Rule(
            f"holds a character of another script than {', '.join(config.scripts)}",
            lambda names: ~_matches(names, foreign),
        )
    elif config.characters:
        yield Rule("holds a character that is not allowed", lambda names: ~_matches(names, f"[^{named}]"))


def _matches(names: pa.ChunkedArray, pattern: str) -> Mask:
    matches: Mask = pc.match_substring_regex(names, pattern).to_numpy()
    return matches
