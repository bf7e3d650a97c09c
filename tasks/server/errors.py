"""The error of a server, Prefect's or Dask's, that is not there or not what we expect."""

from rnn_core.errors import NamewrightError


class ServerError(NamewrightError):
    """The Prefect server is not there, or not what we expect."""

    exit_code = 6
