import numpy as np
import pytest

from rnn_core.errors import DataError


def test_a_checkpoint_under_the_name_of_another_training_is_refused(store):
    one, other = store.checkpoint("model", "a" * 32), store.checkpoint("model", "b" * 32)
    one.write({"step": np.array(7)})
    assert one.read() == {"step": 7}
    one.path.rename(other.path)
    with pytest.raises(DataError, match="another key"):
        other.read()


def test_a_quarantined_checkpoint_is_kept(store):
    checkpoint = store.checkpoint("model", "a" * 32)
    checkpoint.write({"step": np.array(7)})
    aside = checkpoint.quarantine()
    assert checkpoint.read() is None
    assert aside.is_relative_to(store.root / "quarantine")
    assert np.load(aside)["step"] == 7
