"""Characters that occur too rarely in a whole corpus to be learned, and names without them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.config import ValidationConfig
from data.text.columns import characters_class, replace_where
from data.text.spelling import match_spelling
from data.text.strings import counts_of_characters

Failures = Callable[[pa.ChunkedArray], pa.Table]

AFTER_REMOVAL = ", once its rare characters are removed"


class CommonNames(NamedTuple):
    """The remaining names in their order, and of the others index and reason."""

    names: pa.ChunkedArray
    failed: pa.Table


def without_rare(names: pa.ChunkedArray, config: ValidationConfig, failures: Failures) -> CommonNames:
    """Names of which every character occurs at least `min_character_count` times in all of them.

    failures:  gives index and reason of names that break a rule; called for names that were shortened.

    A dropped name takes other characters with it, so this repeats until none is rare.
    """
    failed = [pa.schema({"index": pa.int64(), "reason": pa.string()}).empty_table()]
    rows = np.arange(len(names))
    counts = counts_of_characters(names) if config.min_character_count > 1 else np.zeros(0, np.int64)
    while (rare := np.flatnonzero((counts > 0) & (counts < config.min_character_count))).size:
        pattern = f"[{characters_class(map(int, rare))}]"
        holding = pc.match_substring_regex(names, pattern).to_numpy()
        held = names.filter(pa.array(holding))
        if config.rare == "remove":
            mended = pc.utf8_trim_whitespace(pc.replace_substring_regex(held, pattern, ""))
            mended = match_spelling(mended, held)  # a letter and its accent may meet now
            broken = failures(mended)
            lost = broken["index"].to_numpy()
            reasons = pc.binary_join_element_wise(broken["reason"], AFTER_REMOVAL, "")
        else:
            mended, lost = held, np.arange(len(held))
            reasons = pa.repeat(pa.scalar(_too_rare(config)), len(held))
        places = np.flatnonzero(holding)[lost]  # several times if it breaks several rules
        failed.append(pa.table({"index": rows[places], "reason": reasons}))
        stays = np.ones(len(names), bool)
        stays[places] = False
        counts += counts_of_characters(mended.filter(pa.array(stays[holding]))) - counts_of_characters(held)
        names = replace_where(names, holding, mended).filter(pa.array(stays))
        rows = rows[stays]
    return CommonNames(names, pa.concat_tables(failed))


def _too_rare(config: ValidationConfig) -> str:
    return f"holds a character that occurs fewer than {config.min_character_count} times"
