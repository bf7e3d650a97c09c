"""The error of a server, Prefect's or Dask's, that is unavailable."""

from rnn_core.errors import NamewrightError


class ServerError(NamewrightError):
    """A server is unavailable, or not what was expected."""

    exit_code = 6
