"""Which sampled names keep the rules that all names of the training list keep."""

from functools import lru_cache

from artifacts.store import Artifact
from data.name_rules import NameRules
from rnn_core.sample.constraints import NamePredicate
from rnn_core.text.vocabulary import Vocabulary

_NAMES = "names.parquet"  # of the stage `validated`


@lru_cache(maxsize=4)
def name_predicate(training: Artifact | None, vocabulary: Vocabulary) -> NamePredicate | None:
    """Which sampled names keep the rules of the training list; None if names of these characters always do.

    training:  of the stage `validated`. If it is unknown, the normal form is not held: the list may have
               another.
    """
    if NameRules(normal_form=True, single_spaces=True).predicate(vocabulary) is None:
        return None
    if training is None:
        return NameRules(single_spaces=True).predicate(vocabulary)
    return NameRules.from_names(training.table(_NAMES, ["name"])["name"]).predicate(vocabulary)
