import inspect
import re
from pathlib import Path

import pytest

from rnn_core import errors
from tasks.engines.prefect import NotRecorded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text()
# The first argument of every error: one code, or one of two.
RAISED = re.compile(
    r'(?:Error|GateRefused|Interrupted|NotRecorded|__init__)\(\s*"([\w.]+)"(?: if \w+ else "([\w.]+)")?'
)


def codes_in_use():
    for package in ("artifacts", "data", "flows", "rnn_core", "tasks"):
        for path in (ROOT / package).rglob("*.py"):
            for found in RAISED.findall(path.read_text()):
                yield from filter(None, found)


def documented():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return re.findall(r"`([a-z]+\.[a-z_]+)`", "".join(rows))


def test_every_code_of_an_error_is_documented_and_every_documented_one_is_in_use():
    assert set(codes_in_use()) == set(documented())


@pytest.mark.parametrize(
    "kind", [each for _, each in inspect.getmembers(errors, inspect.isclass)] + [NotRecorded], ids=str
)
def test_every_kind_of_error_has_a_documented_exit_code(kind):
    if kind is not errors.NamewrightError:
        assert re.search(rf"^\| {kind.exit_code}\b", PAGE, flags=re.M)


def test_an_error_is_whole_after_a_journey_to_another_process():
    import pickle

    error = errors.DataError("corpus.empty", "no name", where="here", saw="nothing", fix="give some")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.exit_code == 3
