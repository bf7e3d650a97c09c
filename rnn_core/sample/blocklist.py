"""Names that contain no word of a blocklist, whatever their spelling: an automaton for all words at once.

Words and names are compared by `spelling_key`, which is that of each character, one after another. So the
automaton reads the key of a character where it is given the character.

Source: A. V. Aho & M. J. Corasick, "Efficient String Matching: An Aid to Bibliographic Search",
Communications of the ACM 18 (1975).
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.errors import DataError
from rnn_core.sample.automaton import Automaton, States
from rnn_core.text.spelling import spelling_key
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary

MOST_CELLS: Final = 1 << 25  # of the table: 128 MB
_ROOT, _BLOCKED = 0, 1


def containing_none(keys: Iterable[str], vocabulary: Vocabulary) -> Automaton:
    """Names that contain none of these words; a name that has begun with one never becomes one.

    keys:  spelling keys of words, none of them empty. Those of characters that no name has are passed over.

    Raises DataError if they are too many.
    """
    of_tokens = ["", *map(spelling_key, vocabulary.characters[END_TOKEN + 1 :])]
    alphabet = {letter: place for place, letter in enumerate(sorted(set("".join(of_tokens))))}
    distinct = {key: place for place, key in enumerate(dict.fromkeys(of_tokens))}
    steps = _search_table(_trie(keys, alphabet, MOST_CELLS // (len(alphabet) + len(distinct))))
    table = np.empty((len(steps), len(distinct)), np.int32)
    for key, place in distinct.items():
        states: npt.NDArray[np.integer] = np.arange(len(steps))
        for letter in key:
            states = steps[states, alphabet[letter]]
        table[:, place] = states
    classes = np.array([distinct[key] for key in of_tokens])
    return Automaton(classes, table, np.arange(len(steps)) != _BLOCKED)


def _trie(keys: Iterable[str], alphabet: dict[str, int], most_states: int) -> list[States]:
    """The trie of the words, without what follows a whole word; for each state, (A,), its children, or -1."""
    childless = np.full(len(alphabet), -1, np.int32)
    trie = [childless.copy(), childless.copy()]
    for key in keys:
        characters = [alphabet.get(letter, -1) for letter in key]
        if -1 in characters:
            continue
        state = _ROOT
        for letter in characters[:-1]:
            child = trie[state][letter].item()
            if child == -1:
                child = trie[state][letter] = len(trie)
                trie.append(childless.copy())
            state = child
            if state == _BLOCKED:
                break
        else:
            trie[state][characters[-1]] = _BLOCKED
        if len(trie) > most_states:
            raise DataError(
                "wishes.too_many",
                "the blocklist is too long",
                saw=f"words with more than {most_states:,} different beginnings",
                fix="shorten it.",
            )
    return trie


def _search_table(trie: list[States]) -> States:
    """(S, A) the state after each letter: the longest beginning of a word that the name ends with.

    The blocked state is never left. States may remain that nothing leads to.
    """
    steps = np.array(trie)
    steps[_BLOCKED] = _BLOCKED
    fallback = np.zeros(len(steps), np.int32)  # the longest other beginning of a word
    level = np.zeros(1, np.int64)
    while len(level):
        parents, characters = np.nonzero(steps[level] != -1)
        parents = level[parents]
        if level[0] == _ROOT:
            after = np.zeros(steps.shape[1], np.int32)[np.newaxis]
        else:
            after = steps[fallback[level]]
        missing = steps[level] == -1
        children = steps[parents, characters]
        # A word may end within another: what leads there is blocked as well.
        inherited = np.broadcast_to(after, missing.shape)[np.searchsorted(level, parents), characters]
        fallback[children] = inherited
        blocked = inherited == _BLOCKED
        steps[parents[blocked], characters[blocked]] = _BLOCKED
        children = children[~blocked]
        steps[level] = np.where(missing, after, steps[level])
        level = np.unique(children[children != _BLOCKED]).astype(np.int64)
    return np.maximum(steps, _ROOT)
