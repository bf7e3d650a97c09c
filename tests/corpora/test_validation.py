import pyarrow as pa
import pyarrow.compute as pc
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from small_corpora import read_text

from data import schemas
from data.config import CorpusConfig, ValidationConfig
from data.rare_characters import AFTER_REMOVAL
from data.text import columns
from data.text.scripts import SCRIPTS
from data.validation import _JOINING, validate, validate_corpus
from rnn_core.errors import ConfigError

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e8\U0001f1ed"
UNSEEN = "holds a control or an invisible character"
BASELESS = "begins with a combining mark or a joiner"
MEANINGLESS = "holds a private, unassigned or replacement character"


def corpus(*names):
    return read_text("\n".join(names).encode(), CorpusConfig("x", is_format_given=True)).names


def accepted(names, **knobs):
    return validate(corpus(*names), ValidationConfig(**knobs)).names["name"].to_pylist()


def reasons(name, **knobs):
    return validate(corpus(name), ValidationConfig(**knobs)).rejected["reason"].to_pylist()


def rows(rejected):
    return pa.concat_tables(rejected).to_pylist()


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("José", 4),
        ("Jose\u0301", 4),
        (FAMILY, 1),
        (FLAG + FLAG, 2),
        ("\u1100\u1161\u11a8", 1),
        ("\uac00\u11a8", 1),
        ("한국", 2),
        ("नमस्ते", 3),
        ("กำ", 1),
        ("日本", 2),
        ("Ana", 3),
    ],
    ids=["one code point", "two", "family", "flags", "jamo", "syllable and jamo", "Hangul", "Devanagari",
         "Thai", "Han", "plain"],
)  # fmt: skip
def test_length_is_counted_as_a_reader_counts(name, characters):
    assert accepted([name], min_length=characters, max_length=characters) == [name]
    assert accepted([name], min_length=characters + 1) == []
    if characters > 1:
        assert accepted([name], max_length=characters - 1) == []


def test_a_letter_under_a_heap_of_combining_marks_is_no_name():
    assert accepted(["a" + "\u0301" * 391]) == ["a" + "\u0301" * 391]
    assert reasons("a" + "\u0301" * 392) == ["longer than 392 code points"]


def test_every_character_that_can_join_another_is_looked_at():
    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    joining = pc.match_substring_regex(pa.array(every), _JOINING).to_pylist()
    alone = set(regex.findall(r"[\p{GCB=Other}\p{GCB=LV}\p{GCB=LVT}\p{GCB=Control}\r\n]", "".join(every)))
    assert [hex(ord(each)) for each, looked_at in zip(every, joining, strict=True)
            if not looked_at and each not in alone] == []  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("A\x00na", UNSEEN),
        ("A\x1bna", UNSEEN),
        ("A\x7fna", UNSEEN),
        ("A\u0085na", UNSEEN),
        ("A\u2028na", UNSEEN),
        ("A\u00adna", UNSEEN),
        ("A\u200bna", UNSEEN),
        ("\u202eanA", UNSEEN),
        ("A\u2066na", UNSEEN),
        ("A\u200ena", UNSEEN),
        ("A\ufeffna", UNSEEN),
        ("\u3164", UNSEEN),
        ("\u0301Ana", BASELESS),
        ("\u200dAna", BASELESS),
        ("A\ue000na", MEANINGLESS),
        ("A\uffffna", MEANINGLESS),
        ("A\u0378na", MEANINGLESS),
        ("Jos\ufffd", MEANINGLESS),
    ],
    ids=lambda text: ascii(text)[1:-1],
)
def test_what_no_reader_would_see_as_a_letter_is_rejected_with_the_reason(name, reason):
    assert reasons(name) == [reason]


@pytest.mark.parametrize(
    "name",
    ["می\u200cخواهم", "क्\u200dष", FAMILY, "\u2764\ufe0f", "NA", "null", "None", "=1+1", "O'Neil", "Jean-Luc"],
)
def test_joiners_within_a_name_and_names_that_look_like_values_are_taken(name):
    assert accepted([name]) == [name]


WRITTEN = {
    "Latin": ("José", "Łukasz", "Đặng", "Þór"),
    "Greek": ("Ελένη",),
    "Cyrillic": ("Иван", "Їжак"),
    "Arabic": ("محمد", "می\u200cخواهم"),
    "Hebrew": ("שָׁלוֹם",),
    "Hangul": ("김철수",),
    "Han": ("王小明",),
    "Katakana": ("タロー",),
    "Devanagari": ("नमस्ते",),
}


@pytest.mark.parametrize("script", WRITTEN)
def test_of_a_script_that_is_named_its_own_names_are_taken_and_no_others(script):
    own, others = (
        WRITTEN[script],
        [name for each, names in WRITTEN.items() if each != script for name in names],
    )
    assert accepted([*own, *others], scripts=(script,)) == list(own)
    assert reasons(others[0], scripts=(script,)) == [f"holds a character of another script than {script}"]


def test_japanese_is_three_scripts_together():
    names = ["田中さくら", "タロー"]
    assert accepted([*names, "김"], scripts=("Han", "Hiragana", "Katakana")) == names


def test_what_belongs_to_no_script_goes_with_every_script():
    names = ["O'Neil", "Jean-Luc", "St. John 2", "Jose\u0301 \U0001f600"]
    assert accepted(names, scripts=("Latin",)) == names


def test_allowed_characters_are_the_only_ones_or_come_besides_the_scripts():
    names = ["abba", "abc", "a-b", "a]b", "aβ"]
    assert accepted(names, characters="ab]") == ["abba", "a]b"]
    assert reasons("abc", characters="ab") == ["holds a character that is not allowed"]
    assert accepted(names, characters="β", scripts=("Latin",)) == names


def test_every_han_character_can_be_allowed_by_name():
    characters = "".join(map(chr, range(0x4E00, 0xA000)))
    assert accepted(["王小明", "김"], characters=characters) == ["王小明"]


@pytest.mark.parametrize(
    ("given", "meant"), [("latin", "Latin"), ("Cyrilic", "Cyrillic"), ("Japanese", "Han, Hiragana, Katakana")]
)
def test_a_script_that_there_is_not_is_refused_with_the_nearest_ones(given, meant):
    with pytest.raises(ConfigError) as refusal:
        ValidationConfig(scripts=(given,))
    assert refusal.value.code == "config.script"
    assert meant in refusal.value.fix


@pytest.mark.parametrize(
    "knobs",
    [
        {"characters": "a\udcff"},
        {"characters": 3},
        {"rare": "keep"},
        {"min_character_count": 0},
        {"max_rejected_share": 1.5},
        {"max_rejected_share": -0.1},
    ],
    ids=ascii,
)
def test_a_rule_that_cannot_be_is_refused(knobs):
    with pytest.raises(ConfigError) as refusal:
        ValidationConfig(**knobs)
    assert refusal.value.code == "config.range"


def test_every_script_that_can_be_named_is_one_that_arrow_knows():
    for script in SCRIPTS:
        pc.match_substring_regex(pa.array([""]), rf"\p{{{script}}}")


def test_names_with_a_rare_character_are_dropped_until_none_is_left():
    # Without the last name there is one q left, and without that one d.
    names = corpus("abab", "baab", "aqd", "abqx", "bad")
    found = validate_corpus(names, ValidationConfig(min_character_count=2))
    assert found.names["name"].to_pylist() == ["abab", "baab"]
    reason = "holds a character that occurs fewer than 2 times"
    assert [(row["line"], row["reason"]) for row in rows(found.rejected)] == [
        (3, reason),
        (4, reason),
        (5, reason),
    ]
    assert (found.removed, found.shortened_rows, found.new_duplicates) == ({}, 0, 0)


def test_rare_characters_are_removed_and_what_was_done_is_reported():
    names = corpus("Ana Bea", "Bea Ana", "Ana Bea ¿", "Aña Bea", "¡", "Bea")
    found = validate_corpus(names, ValidationConfig(min_character_count=2, rare="remove"))
    assert found.names["name"].to_pylist() == ["Ana Bea", "Bea Ana", "Ana Bea", "Aa Bea", "Bea"]
    assert found.names["line"].to_pylist() == [1, 2, 3, 4, 6]
    assert found.removed == {" ": 1, "¿": 1, "ñ": 1}
    assert (found.shortened_rows, found.new_duplicates) == (2, 1)
    (row,) = rows(found.rejected)
    assert (row["line"], row["name"]) == (5, "¡")
    assert row["reason"] == f"shorter than 1 or longer than 49 characters{AFTER_REMOVAL}"


def test_names_of_which_rare_characters_were_removed_are_spelled_like_the_others():
    names = corpus("José Ana", "Ana José", "Jose¿\u0301 ¡ Ana", "x\u0301e", "x\u0301e")
    found = validate_corpus(names, ValidationConfig(min_character_count=2, rare="remove"))
    assert found.names["name"].to_pylist() == ["José Ana", "Ana José", "José Ana", "x\u0301e", "x\u0301e"]
    assert found.removed == {" ": 1, "e": 1, "¡": 1, "¿": 1, "\u0301": 1}
    assert (found.shortened_rows, found.new_duplicates) == (1, 1)


def test_names_that_were_spelled_otherwise_before_stay_so_when_rare_characters_are_removed():
    names = corpus("Jose\u0301  ¿", "Jose\u0301  Jose\u0301")
    found = validate_corpus(names, ValidationConfig(min_character_count=2, rare="remove"))
    assert found.names["name"].to_pylist() == ["Jose\u0301", "Jose\u0301  Jose\u0301"]


def test_characters_of_names_that_break_a_rule_do_not_make_others_common():
    names = corpus("Aña", "Ana", "Ana", "ñ\u200b" * 5)
    found = validate_corpus(names, ValidationConfig(min_character_count=2))
    assert found.names["name"].to_pylist() == ["Ana", "Ana"]


def test_a_rare_character_does_not_matter_for_a_sample():
    assert accepted(["Aña"], min_character_count=100) == ["Aña"]


def test_long_names_are_checked_some_at_a_time_with_the_outcome_of_all_at_once(monkeypatch):
    names, config = corpus("Ana", "Bea" * 99, "q" * 999, "e", "Eva\u200b" * 30, "Ana"), ValidationConfig(2, 9)
    at_once = validate_corpus(names, config)
    monkeypatch.setattr(columns, "_BATCH_BYTES", 100)
    some_at_a_time = validate_corpus(names, config)
    assert some_at_a_time.names.equals(at_once.names)
    parts = list(some_at_a_time.rejected)
    assert len(parts) > 2
    assert rows(parts) == rows(at_once.rejected)
    assert [row["line"] for row in rows(parts)] == [2, 2, 3, 3, 4, 5, 5, 5]


def test_checking_long_names_takes_little_more_memory_than_they_have_bytes(monkeypatch):
    """pandera alone copies what breaks a rule, once for each."""
    monkeypatch.setattr(columns, "_BATCH_BYTES", 1 << 18)
    names = corpus(*(f"{number}{'Anastasia' * 5000}" for number in range(200)))
    pool, default = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        found = validate_corpus(names, ValidationConfig())
        assert sum(len(part) for part in found.rejected) == 400
        assert pool.max_memory() < names.nbytes
    finally:
        pa.set_memory_pool(default)


# All of Unicode that a line of UTF-8 can hold, and often what is special.
ANYTHING = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")
SPECIAL = st.sampled_from(
    "ab \u0301\u200d\u200c\u1100\u1161\u11a8\uac00\U0001f1e8\U0001f468\u0e33\u0904\ufe0f"
)
TEXT = st.text(ANYTHING | SPECIAL, max_size=12)
CONFIGS = st.builds(
    ValidationConfig,
    min_length=st.integers(1, 3),
    max_length=st.integers(3, 12),
    scripts=st.sampled_from([(), ("Latin",), ("Hangul", "Han")]),
    min_character_count=st.integers(1, 3),
    rare=st.sampled_from(["drop", "remove"]),
)


@given(st.lists(TEXT, min_size=1), CONFIGS)
def test_rows_validated_and_rows_rejected_are_the_rows_given(texts, config):
    names = corpus(*texts)
    found = validate_corpus(names, config)
    schemas.conform(schemas.CORPUS, found.names)
    rejected = pa.concat_tables(found.rejected)
    schemas.conform(schemas.REJECTED, rejected)
    lines = set(found.names["line"].to_pylist()), set(rejected["line"].to_pylist())
    assert not lines[0] & lines[1]
    assert lines[0] | lines[1] == set(names["line"].to_pylist())
    assert validate(found.names, config).names.equals(found.names)
    letters = "".join(found.names["name"].to_pylist())
    assert all(letters.count(letter) >= config.min_character_count for letter in set(letters))


@given(st.lists(TEXT, min_size=1), st.integers(1, 4), st.integers(4, 8))
def test_a_name_of_a_length_out_of_bounds_is_rejected_whatever_its_script(texts, shortest, longest):
    names = corpus(*texts)
    rejected = validate(names, ValidationConfig(shortest, longest)).rejected
    told = {row["line"] for row in rejected.to_pylist() if row["reason"].startswith("shorter")}
    counted = {line: len(regex.findall(r"\X", name)) for name, line in
               zip(names["name"].to_pylist(), names["line"].to_pylist(), strict=True)}  # fmt: skip
    assert told == {line for line, length in counted.items() if not shortest <= length <= longest}
