"""The training within a run: its threads, and what is left when it fails."""

import numpy as np
from small_runs import files_of, outcomes

BLOWS_UP = [
    *("--training.learning-rate", "1000", "--training.weight-decay", "1", "--training.schedule", "constant"),
    *("--training.warmup", "0", "--training.clip-norm", "0"),
]


def test_a_training_that_blows_up_is_one_clear_error_and_its_last_checkpoint_stays(
    namewright, quick, tmp_path
):
    outcome = namewright("run", "--engine", "plain", *quick, *BLOWS_UP, "--checkpoint-seconds", "0")
    assert outcome.returncode == 5
    assert outcome.stderr.startswith("error[training.diverged]: ")
    for told in ("step ", "learning rate 1e+03", "lower learning_rate"):
        assert told in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list((tmp_path / "store" / "model").glob("*/manifest.json"))
    (checkpoint,) = (tmp_path / "store").glob("checkpoints/*/*.npz")
    kept = np.load(checkpoint, allow_pickle=False)
    assert kept["step"] > 0
    assert np.isfinite(kept["parameters"]).all()


def test_the_number_of_threads_changes_no_byte_and_no_key(namewright, small, tmp_path):
    sharded = ["run", "--engine", "plain", *small, "--training.epochs", "4", "--training.shards", "3"]
    for threads in ("1", "4"):
        store = str(tmp_path / threads)
        assert namewright(*sharded, "--threads", threads, "--store", store).returncode == 0
    assert files_of(tmp_path / "1") == files_of(tmp_path / "4")
    again = namewright(*sharded, "--store", str(tmp_path / "1"), NAMEWRIGHT_THREADS="2")
    assert set(outcomes(again.stdout).values()) == {"cached"}


def test_no_thread_at_all_is_one_clear_error(namewright):
    outcome = namewright("run", "--threads", "0")
    assert outcome.returncode == 2
    assert "threads" in outcome.stderr
    assert "Traceback" not in outcome.stderr
