"""A list whose making is killed, or runs out of disk: complete shards stay, and the same command goes on."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import ready_commands
from small_lists import manifest_of, stamps
from small_runs import COMMAND

from rnn_core.random_numbers import NAMES_PER_BLOCK

KILLS = int(os.environ.get("NAMEWRIGHT_KILLS", "4"))  # each takes seconds: more of them only where asked for
SHARDS = 20
TESTS = Path(__file__).parents[1] / "support"


def words(learnt, output, shards, *more):
    count, size = str(shards * NAMES_PER_BLOCK), str(NAMES_PER_BLOCK)
    short = ["--max-length", "3", "--truncate", "--columns", "index,name", "--workers", "1"]
    where = ["--store", str(learnt), "--output", str(output)]
    options = ["--count", count, "--shard-size", size, *short, *where, *more]
    return ["generate", "--engine", "plain", *options]


def begun(learnt, output, environment, shards, *more):
    return ready_commands.start(
        words(learnt, output, shards, *more), output.parent, environment, output.parent
    )


def finished(learnt, output, environment, shards, *more):
    outcome = ready_commands.run(
        words(learnt, output, shards, *more), output.parent, environment, timeout=200
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


def kill_after(run, output, shards, pause):
    """SIGKILL, this many seconds after it has made so many shards; nothing if it has ended by then."""
    while run.exitcode is None and len(stamps(output)) // 2 < shards:
        time.sleep(0.005)
    run.join(pause)
    run.kill()
    run.join()


@pytest.mark.timeout(600)
def test_a_list_killed_at_any_moment_goes_on_and_no_shard_is_made_twice(learnt, environment, tmp_path):
    whole = tmp_path / "undisturbed"
    finished(learnt, whole, environment, SHARDS)
    expected = files_of(whole)
    assert len(expected) == SHARDS

    def killed_and_resumed(number, shards, pause):
        output = tmp_path / f"killed-{number}"
        run = begun(learnt, output, environment, SHARDS)
        kill_after(run, output, shards, pause)
        complete = stamps(output)
        if (output / "_SUCCESS").exists():
            assert files_of(output) == expected, "what says that it is whole has to be so"
        resumed = finished(learnt, output, environment, SHARDS)
        assert "damaged" not in resumed.stdout
        assert complete.items() <= stamps(output).items(), "a shard was made twice"
        assert (output / "_SUCCESS").exists()
        same = files_of(output) == expected and manifest_of(output).files == manifest_of(whole).files
        return run.exitcode == -signal.SIGKILL, len(complete) // 2, same

    rng = random.Random(4)
    outcomes = [
        killed_and_resumed(number, number * SHARDS // KILLS, rng.uniform(0.0, 0.2)) for number in range(KILLS)
    ]
    killed, complete, same = zip(*outcomes, strict=True)
    assert same == (True,) * KILLS
    assert sum(killed) >= KILLS // 2, "too few were still running"
    assert sum(0 < each < SHARDS for each in complete) >= KILLS // 4, "too few had shards to go on from"


def test_a_list_with_wishes_goes_on_after_kills_to_the_same_bytes(learnt, environment, tmp_path):
    (tmp_path / "taken.txt").write_text("Ana\nEma\nel\n")
    wishes = ["--contains", "a", "--exclude", str(tmp_path / "taken.txt")]
    whole, output = tmp_path / "undisturbed", tmp_path / "killed"
    finished(learnt, whole, environment, 6, *wishes)
    for shards in (1, 3, 5):
        kill_after(begun(learnt, output, environment, 6, *wishes), output, shards, 0.1)
    complete = stamps(output)
    assert complete
    finished(learnt, output, environment, 6, *wishes)
    assert complete.items() <= stamps(output).items(), "a shard was made twice"
    assert files_of(output) == files_of(whole)
    assert len(files_of(whole)) == 6


def test_a_list_that_is_asked_to_stop_says_how_to_go_on_and_does(learnt, environment, tmp_path):
    run = begun(learnt, tmp_path / "list", environment, SHARDS)
    while run.exitcode is None and not stamps(tmp_path / "list"):
        time.sleep(0.005)
    os.kill(run.pid, signal.SIGINT)
    run.join(60)
    assert run.exitcode == 130
    errors = (tmp_path / "stderr").read_text()
    assert errors.startswith("error[run.interrupted]: stopped by SIGINT")
    assert "Traceback" not in errors
    complete = stamps(tmp_path / "list")
    assert 0 < len(complete) < 2 * SHARDS
    finished(learnt, tmp_path / "list", environment, SHARDS)
    assert complete.items() <= stamps(tmp_path / "list").items()


FULL = """
    import subprocess, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from small_lists import stamps

    output, command = Path({output!r}), {command!r}
    refused = subprocess.run(command, capture_output=True, text=True)
    print(refused.returncode, refused.stderr.splitlines()[0], "Traceback" in refused.stderr, sep="|")
    complete = stamps(output)
    print(len(complete) // 2, (output / "_SUCCESS").exists(), sep="|")
    subprocess.run(["mount", "-o", "remount,size=64m", str(output.parent)], check=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(complete.items() <= stamps(output).items(), (output / "_SUCCESS").exists(), sep="|")
"""


def test_a_full_disk_is_one_clear_error_and_complete_shards_are_gone_on_from(learnt, environment, tmp_path):
    script, disk = tmp_path / "fill.py", tmp_path / "disk"
    disk.mkdir()
    run = [str(COMMAND), *words(learnt, disk / "list", 6)]
    filled = FULL.format(tests=str(TESTS), output=str(disk / "list"), command=run)
    script.write_text(textwrap.dedent(filled))
    mounted = 'mount -t tmpfs -o size=700k tmpfs "$1" && exec "$2" "$3"'
    outcome = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, "sh", disk, sys.executable, script],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    refused, left, resumed = (line.split("|") for line in outcome.stdout.splitlines())
    assert refused[0] == "4"
    assert refused[1].startswith("error[store.full]: could not ")
    assert refused[2] == "False"
    assert 0 < int(left[0]) < 6
    assert left[1] == "False"
    assert resumed == ["True", "True"]
