"""Lists of names in memory, and profiles of them, for tests of what is said of lists."""

import pyarrow as pa
from hypothesis import strategies as st

from data.profile import Profile, profile

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=8)
SOURCES = st.dictionaries(st.sampled_from(["towns", "rivers", "$x$"]), NAMES, min_size=1)


def corpus(source, names):
    sources = pa.array([source] * len(names), pa.string()).dictionary_encode()
    return pa.table({"name": pa.array(names, pa.string()), "source": sources})


def rejected(*rows):
    sources, reasons = zip(*rows, strict=True)
    return pa.table({"source": pa.array(sources).dictionary_encode(), "reason": reasons})


def profiled(lists, **rejections):
    tables = [corpus(*each) for each in lists.items()]
    return Profile.from_table(profile(tables, pa.concat_tables(tables), rejections))
