"""The error of an artifact store that cannot be read or written."""

from rnn_core.errors import NamewrightError


class StoreError(NamewrightError):
    """The artifact store could not be read or written."""

    exit_code = 4
