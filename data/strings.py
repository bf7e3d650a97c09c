"""Encoded names as Arrow strings, without a Python object for any of them."""

import numpy as np
import pyarrow as pa

from rnn_core.errors import DataError
from rnn_core.names import EncodedNames
from rnn_core.vocabulary import Vocabulary


def strings(names: EncodedNames, vocabulary: Vocabulary, capitalise_first: bool = False) -> pa.StringArray:
    """Raises DataError if a token is none of the vocabulary's characters, or for more than 2 GiB of text."""
    text, offsets = vocabulary.utf8(names, capitalise_first)
    if offsets[-1] > np.iinfo(np.int32).max:
        raise DataError(
            "names.too_many",
            "one array holds no more than 2 GiB of text",
            saw=f"{offsets[-1]:,} bytes in {names.count:,} names",
            fix="make one for every block of names.",
        )
    return pa.StringArray.from_buffers(
        names.count, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(text)
    )
