"""`namewright maintain` after real runs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Plain = Callable[..., dict[str, str]]
Ran = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_says_what_it_did_and_a_run_makes_again_what_was_damaged(
    namewright: Ran, plain: Plain, stored: Path
) -> None:
    (model,) = stored.glob("model/*/model.npz")
    model.write_bytes(model.read_bytes()[:-1])
    (stored / "scratch" / f"names-{'0' * 32}").mkdir()

    def maintain(*options: str) -> list[str]:
        outcome = namewright("maintain", "--store", str(stored), *options)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout.splitlines()

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
    namewright: Ran, plain: Plain, stored: Path
) -> None:
    plain("--sampling.seed", "2")

    def counts() -> dict[str, int]:
        return {
            stage: len(list(stored.glob(f"{stage}/*"))) for stage in ("corpus", "model", "names", "report")
        }

    assert counts() == {"corpus": 2, "model": 1, "names": 2, "report": 2}
    outcome = namewright("maintain", "--store", str(stored), "--artifact-days", "0", "--keep-last", "1")
    assert "removed  names/" in outcome.stdout
    # The other corpus is not the last one, but what the champion has learnt from.
    assert counts() == {"corpus": 2, "model": 1, "names": 1, "report": 1}
    assert set(plain("--sampling.seed", "2").values()) == {"cached"}


def test_nothing_is_removed_while_nobody_knows_what_the_champion_is(namewright: Ran, stored: Path) -> None:
    (registry,) = (stored / "registry").glob("champion-*.json")
    registry.write_text("{")
    before = sorted(stored.glob("*/*"))
    outcome = namewright("maintain", "--store", str(stored), "--artifact-days", "0")
    assert outcome.returncode == 3
    assert outcome.stderr.startswith("error[registry.damaged]")
    assert sorted(stored.glob("*/*")) == before


@pytest.mark.parametrize("option", ["--artifact-days=-1", "--keep-last=0", "--checkpoint-days=nan"])
def test_a_knob_out_of_range_is_refused(namewright: Ran, option: str) -> None:
    outcome = namewright("maintain", option)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error[config.range]")


def test_the_store_is_listed_and_an_artifact_explained_on_the_command_line(
    namewright: Ran, stored: Path
) -> None:
    (model,) = stored.glob("mixture/*")
    listed = namewright("store", "list", "--store", str(stored), "--stage", "mixture")
    assert listed.returncode == 0, listed.stderr
    title, _, row = listed.stdout.splitlines()
    assert title.startswith(f"1 artifact of the stage mixture in {stored}, ")
    assert row.split()[0] == f"mixture/{model.name[:12]}"
    explained = namewright("store", "why", model.name[:10], "--store", str(stored))
    assert explained.returncode == 0, explained.stderr
    assert "Kept for:\n  the current champion of " in explained.stdout
    for arguments, code, error in (
        (["why", "zz"], 3, "artifact.unknown"),
        (["list", "--stage", "modle"], 2, "config.stage"),
        (["list", "--limit", "0"], 2, "config.range"),
    ):
        refused = namewright("store", *arguments, "--store", str(stored))
        assert (refused.returncode, refused.stdout) == (code, "")
        assert refused.stderr.startswith(f"error[{error}]")
