"""`namewright maintain` after real runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

Plain = Callable[..., dict[str, str]]


def test_the_command_says_what_it_did_and_a_run_makes_again_what_was_damaged(
    namewright: Callable[..., object], plain: Plain, tmp_path: Path
) -> None:
    plain()
    store = tmp_path / "store"
    (model,) = store.glob("model/*/model.npz")
    model.write_bytes(model.read_bytes()[:-1])
    (store / "scratch" / f"names-{'0' * 32}").mkdir()

    def maintain(*options: str) -> list[str]:
        outcome = namewright("maintain", "--store", str(store), *options)
        assert outcome.returncode == 0, outcome.stderr  # type: ignore[attr-defined]
        return outcome.stdout.splitlines()  # type: ignore[attr-defined, no-any-return]

    *lines, summary = maintain("--dry-run")
    assert [line.split()[:2] for line in lines] == [
        ["damaged", f"model/{model.parent.name}"],
        ["removed", f"scratch/names-{'0' * 32}"],
    ]
    assert "1 found damaged, 1 would be removed" in summary
    assert model.exists()
    assert "1 set aside as damaged, 1 removed" in maintain()[-1]
    assert not model.exists()
    assert [stage for stage, outcome in plain().items() if outcome == "computed"] == ["model 8 units"]
    assert "0 set aside as damaged, 0 removed" in maintain()[-1]


def test_what_is_removed_for_its_age_is_no_part_of_what_is_kept(
    namewright: Callable[..., object], plain: Plain, tmp_path: Path
) -> None:
    plain("--training.seed", "1")
    plain("--training.seed", "2")
    store = tmp_path / "store"
    assert len(list(store.glob("model/*"))) == 2
    outcome = namewright("maintain", "--store", str(store), "--artifact-days", "0", "--keep-last", "1")
    assert "removed  model/" in outcome.stdout  # type: ignore[attr-defined]
    assert len(list(store.glob("model/*"))) == 1
    assert set(plain("--training.seed", "2").values()) == {"cached"}


@pytest.mark.parametrize("option", ["--artifact-days=-1", "--keep-last=0", "--checkpoint-days=nan"])
def test_a_knob_out_of_range_is_refused(namewright: Callable[..., object], option: str) -> None:
    outcome = namewright("maintain", option)
    assert outcome.returncode == 2  # type: ignore[attr-defined]
    assert outcome.stderr.startswith("error[config.range]")  # type: ignore[attr-defined]
