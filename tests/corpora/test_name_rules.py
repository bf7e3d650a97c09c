"""What is sampled keeps the rules that the lists are held to."""

import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.name_rules import NameRules
from rnn_core.nn import network
from rnn_core.sample import sampler
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.vocabulary import Vocabulary

HINDI = ["आरव", "विवान", "आदित्य", "विहान", "अर्जुन", "साई", "प्रकाश", "निक़ोल", "हर्ष"]
THAI = ["กมล", "กิตติ", "จิรา", "ณัฐ", "ธนา", "น้ำฝน", "พิมพ์", "สุดา"]
EMOJI = ["👨‍👩‍👧", "👩‍🚀", "👨‍🚀", "❤️", "👍🏽", "🏳️‍🌈"]


def kept(names, rules, vocabulary=None):
    vocabulary = vocabulary or Vocabulary.from_names(names)
    predicate = rules.predicate(vocabulary)
    if predicate is None:
        return [True] * len(names)
    return predicate(vocabulary.encode(names)).tolist()


def expected(name, rules):
    first = name[:1]
    return not (
        (first and (unicodedata.category(first).startswith("M") or first in "\u200c\u200d"))
        or (rules.normal_form and unicodedata.normalize("NFC", name) != name)
        or (rules.single_spaces and any(a.isspace() and b.isspace() for a, b in pairwise(name)))
    )


NAMES = st.lists(
    st.text(" \u00a0aeé\u0301\u0327\u200dक\u093c\u093f\u0928\u0929가\u1100\u1161\u11a8", max_size=6),
    max_size=12,
)


@given(names=NAMES, normal_form=st.booleans(), single_spaces=st.booleans())
def test_a_name_keeps_the_rules_or_not_whatever_stands_beside_it(names, normal_form, single_spaces):
    rules = NameRules(normal_form, single_spaces)
    assert kept(names, rules) == [bool(expected(name, rules)) for name in names]


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (["Ana", "José"], NameRules(True, True)),
        (["Ana", "Jose\u0301"], NameRules(False, True)),
        (["Ana Eva", "Ana  Eva"], NameRules(True, False)),
        (["Ana\u00a0 Eva"], NameRules(True, False)),
        (["Ana\u3000\u3000Eva"], NameRules(True, False)),
        (HINDI, NameRules(True, True)),
    ],
    ids=["both", "another normal form", "double spaces", "two kinds of space", "ideographic", "Hindi"],
)
def test_the_rules_of_a_list_are_those_that_all_its_names_keep(names, rules):
    assert NameRules.from_names(pa.array(names)) == rules
    assert NameRules.from_names(pa.chunked_array([names[:1], names[1:]])) == rules


def test_the_rules_of_no_names_are_all_of_them():
    assert NameRules.from_names(pa.array([], pa.string())) == NameRules(True, True)


def test_names_whose_characters_keep_every_rule_are_not_looked_at():
    vocabulary = Vocabulary.from_names(["Ana-María", "Ñuño", "O'Neil", "Łukasz", "Ελένη", "Иван", "한", "李"])
    assert NameRules(True, True).predicate(vocabulary) is None
    assert NameRules(False, False).predicate(Vocabulary.from_names(["Ana Eva"])) is None


@pytest.mark.parametrize("names", [HINDI, THAI, EMOJI], ids=["Hindi", "Thai", "emoji"])
def test_no_sampled_name_begins_with_a_mark_or_is_in_another_normal_form(names):
    vocabulary = Vocabulary.from_names([*names, "a b"])
    untrained = network.init(np.random.default_rng(0), "gru", vocabulary.size, 8, np.float32)
    untrained.b_y[0] = 1.5
    rules, model = NameRules(True, True), network_model(untrained)
    config = SamplingConfig(count=5_000, max_length=8)
    free = vocabulary.decode(sampler.sample(model, vocabulary, config).names)
    assert not all(expected(name, rules) for name in free)
    sampled, _ = sampler.sample(model, vocabulary, config, accepts=rules.predicate(vocabulary))
    assert all(expected(name, rules) for name in vocabulary.decode(sampled))
    assert set(sampled.lengths.tolist()) == set(range(1, 9))
