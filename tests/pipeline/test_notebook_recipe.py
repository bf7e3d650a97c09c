import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from small_runs import COMMAND, CORPORA, files_of

GOLDEN = Path(__file__).parents[1] / "numerics" / "golden" / "notebook_trace_bundled_corpora.txt"
AS_IN_THE_NOTEBOOK = [
    *("--source", f"names={CORPORA / 'argentine.txt'}", "--source", f"dinos={CORPORA / 'dinosaurs.txt'}"),
    *("--recipe", "notebook", "--engine", "plain"),
]


def transcript(store):
    (path,) = (store / "model").glob("*/transcript.txt")
    return path.read_text()


def test_the_recipe_prints_what_the_notebook_printed(namewright, tmp_path):
    """To iteration 16,000, as far as machines agree; the rest is held on the kernel of the trace."""
    outcome = namewright("run", *AS_IN_THE_NOTEBOOK, "--store", "store")
    assert outcome.returncode == 0, outcome.stderr
    until = "Iteration: 18000"
    assert transcript(tmp_path / "store").partition(until)[0] == GOLDEN.read_text().partition(until)[0]
    assert "Iteration: 16000, Loss: 31.393971  Mur Vilvalila Benez, Berna Ilivarsous" in outcome.stdout


def test_a_notebook_that_was_stopped_and_killed_ends_with_the_same_bytes(namewright, environment, tmp_path):
    knobs = [*AS_IN_THE_NOTEBOOK, "--notebook.iterations", "9001", "--notebook.report-every", "500"]
    assert namewright("run", *knobs, "--store", "undisturbed").returncode == 0
    expected = files_of(tmp_path / "undisturbed")
    command = [COMMAND, "run", *knobs, "--store", "store", "--checkpoint-seconds", "0.02"]
    for number, reports in ((signal.SIGTERM, 3), (signal.SIGKILL, 8)):
        run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        while reports:
            reports -= next(run.stdout).startswith("model: Iteration:")
        time.sleep(0.05)
        run.send_signal(number)
        run.communicate()
        assert run.returncode in (128 + number, -number)
    resumed = namewright(*map(str, command[1:]))
    assert "going on from the checkpoint of iteration" in resumed.stdout
    assert files_of(tmp_path / "store") == expected


def test_every_name_is_for_training_and_is_read_in_the_notebooks_order(namewright, tmp_path):
    namewright("run", *AS_IN_THE_NOTEBOOK, "--notebook.iterations", "1", "--store", "store")
    (examples,) = (tmp_path / "store" / "examples").glob("*/examples.parquet")
    table = pq.read_table(examples)
    assert set(table["split"].to_pylist()) == {"train"}
    assert table["name"][0].as_py() == "Benjamin Martin"
    assert len(table) == 4318


def test_its_names_begin_with_a_capital_and_its_model_is_read_like_any_other(namewright, tmp_path):
    namewright("run", *AS_IN_THE_NOTEBOOK, "--notebook.iterations", "2001", "--store", "store")
    (model,) = (tmp_path / "store" / "model").glob("*/model.npz")
    with np.load(model) as arrays:
        assert not arrays["elman.0.W_xh"][0].any()  # the first input is the zero vector
        assert arrays["elman.0.W_hh"].dtype == np.float64
    (names,) = (tmp_path / "store" / "names").glob("*/names.parquet")
    drawn = pq.read_table(names)["name"].to_pylist()
    assert all(name[0] == name[0].upper() for name in drawn)
