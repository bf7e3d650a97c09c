"""Attacks on the real command. Each is given a random generator and a place, and says what fell, if anything.

What must hold: a command ends within its time, without a traceback; what it read is what was written, or it
says so; and the run after it makes the same bytes as one that was never disturbed.
"""

import atexit
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import commands
from commands import Ended
from corruptions import CORRUPTIONS, NOBODYS_KEY
from documents import hostile_json, hostile_npz, hostile_toml
from fuzz import read_changed
from machines import Machine, kill_and_resume
from s3_server import BUCKET, s3_server
from small_runs import COMMAND, clean_environment, files_of, quick_options

FUZZED = 100
SOAKED_BYTES, SOAKED_LISTS = 1_000_000, 8
REFUSED_BYTES, REFUSED_SECONDS = 200_000_000, 2.0  # of the whole process, its imports included

# A process begins with the peak of the one that starts it, so a small one starts what is measured.
MEASURED = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss << 10, used.ru_utime + used.ru_stime, file=sys.stderr)
sys.exit(ended.returncode)
"""


@dataclass
class Place:
    """Where the attacks take place. store, files, seconds, calls: of a run that was never disturbed."""

    folder: Path
    lists: tuple[Path, Path] = field(init=False)
    store: Path = field(init=False)
    kills: int = 0
    soaked: dict[str, bytes] = field(default_factory=dict)  # digest by file, of all that the soak has seen

    def __post_init__(self) -> None:
        self.lists = _short_lists(self.folder / "lists")
        self.store = self.folder / "undisturbed"
        began = time.monotonic()
        counted = self.run(self.store, (0, "kill"))
        self.seconds = time.monotonic() - began
        assert counted.returncode == 0, counted.stderr
        self.calls = int(counted.stderr.split()[-1])
        self.files = files_of(self.store)

    @cached_property
    def endpoint(self) -> str:
        """Of a server with a bucket, which ends with this process."""
        server = s3_server()
        atexit.register(server.__exit__, None, None, None)
        return server.__enter__()

    def words(self, store: Path) -> list[str]:
        return ["run", "--engine", "plain", *quick_options(self.lists, store), "--checkpoint-seconds", "0.05"]

    def run(self, store: Path, fate: tuple[int, str] | None = None) -> Ended:
        """The run, with its fate at a changing call."""
        return commands.run(self.words(store), self.folder, fate)

    def copy(self) -> Path:
        store = self.folder / "attacked"
        shutil.rmtree(store, ignore_errors=True)
        return Path(shutil.copytree(self.store, store, symlinks=True))

    def fresh(self) -> Path:
        shutil.rmtree(self.folder / "attacked", ignore_errors=True)
        return self.folder / "attacked"

    def fault_of_rerun(self, store: Path) -> str:
        """What is wrong with the same run, made once more."""
        again = self.run(store)
        if again.returncode or "Traceback" in again.stderr:
            return f"the run after it ended with {again.returncode}: {again.stderr[-2000:]}"
        files = {name: content for name, content in files_of(store).items() if NOBODYS_KEY not in name}
        changed = sorted(name for name in self.files | files if files.get(name) != self.files.get(name))
        return f"other bytes: {changed}" if changed else ""


def _short_lists(folder: Path) -> tuple[Path, Path]:
    """Two lists of short names of few letters, which are soon learned and drawn: a case takes seconds."""
    folder.mkdir()
    rng, paths = random.Random(0), (folder / "argentine.txt", folder / "dinosaurs.txt")
    for path in paths:
        names = ("".join(rng.choices("aeilmn", k=rng.randint(2, 6))) for _ in range(150))
        path.write_text("\n".join(dict.fromkeys(names)) + "\n")
    return paths


def traceback_in(done: Ended) -> str:
    return done.stderr[-2000:] if "Traceback" in done.stderr else ""


def kill_by_time(rng: random.Random, place: Place) -> str:
    """SIGKILL at any moment, up to eight times, of a run and of those that continue it."""
    store = place.fresh()
    for share in rng.choices([1, 4], k=rng.randint(1, 8)):
        run = commands.start(place.words(store), place.folder)
        try:
            run.join(rng.random() * place.seconds / share)
        finally:
            run.kill()
            run.join()
        place.kills += run.exitcode == -signal.SIGKILL
    return place.fault_of_rerun(store)


def kill_in_a_bucket(rng: random.Random, place: Place) -> str:
    """Killed on one machine, and again on another one; a third one ends it."""
    folder = Path(tempfile.mkdtemp(prefix="machines-", dir=place.folder))
    made = iter(range(100))

    def machine() -> Machine:
        options = [*quick_options(place.lists, Path())[:-2], "--checkpoint-seconds", "0.05"]
        return Machine(place.endpoint, folder / f"{next(made)}", options, f"s3://{BUCKET}/{folder.name}")

    try:
        killed, last = kill_and_resume(rng, machine, 2 * place.seconds, kills=2)
        place.kills += killed
        files = last.files
    except AssertionError as fault:
        return str(fault)
    finally:
        shutil.rmtree(folder)
    changed = sorted(name for name in place.files | files if files.get(name) != place.files.get(name))
    return f"other bytes: {changed}" if changed else ""


def kill_by_call(rng: random.Random, place: Place) -> str:
    """SIGKILL at a changing call, up to eight times, of a run and of those that continue it."""
    store = place.fresh()
    for share in rng.choices([1, 4], k=rng.randint(1, 8)):
        done = place.run(store, (rng.randint(1, place.calls // share), "kill"))
        if done.returncode not in (-signal.SIGKILL, 0):
            return f"it ended with {done.returncode}: {done.stderr[-2000:]}"
        place.kills += done.returncode == -signal.SIGKILL
    return place.fault_of_rerun(store)


def failing_disk(rng: random.Random, place: Place) -> str:
    """From a changing call on the disk is full, or fails."""
    store = place.fresh()
    fate = rng.choice(["ENOSPC", "EIO", "EDQUOT", "EROFS"])
    done = place.run(store, (rng.randint(1, place.calls), fate))
    if done.returncode not in (0, 3, 4) or traceback_in(done):
        return f"{fate}: it ended with {done.returncode}: {done.stderr[-2000:]}"
    return place.fault_of_rerun(store)


def corruption(rng: random.Random, place: Place) -> str:
    """A file of the store is damaged in one of 25 ways; `maintain` says so, and a run makes it again."""
    store = place.copy()
    kind = rng.choice(sorted(CORRUPTIONS))
    files = sorted(path for path in store.glob("*/*/*") if path.is_file())
    victim = rng.choice(files)
    CORRUPTIONS[kind](victim, rng)
    told = f"{kind} of {victim.relative_to(store)}: "
    if rng.random() < 0.5:
        done = commands.run(["maintain", "--store", str(store)], place.folder)
        if done.returncode not in (0, 4) or traceback_in(done):
            return f"{told}maintain ended with {done.returncode}: {done.stderr[-2000:]}"
    fault = place.fault_of_rerun(store)
    return fault and told + fault


def document(rng: random.Random, place: Place) -> str:
    """A hostile configuration, option or model file is refused in one message, in little memory and time.

    One that is valid by chance is used.
    """
    name, content, words = rng.choice([hostile_toml, hostile_json, hostile_npz])(rng, place.store)
    path = place.folder / name
    path.write_bytes(content)
    command = [str(COMMAND), *(word.replace("PATH", str(path)) for word in words)]
    try:
        ended = subprocess.run(
            [sys.executable, "-c", MEASURED, *command], env=clean_environment(place.folder),
            cwd=place.folder, capture_output=True, text=True, errors="replace", check=False,
            timeout=commands.HANGS_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{command} hangs"
    errors, _, used = ended.stderr.rstrip().rpartition("\n")
    if "Traceback" in errors or ended.returncode not in (0, 2, 3):
        return f"{command} ended with {ended.returncode}: {errors[-2000:]}"
    peak, seconds = map(float, used.split())
    is_dear = ended.returncode and (peak > REFUSED_BYTES or seconds > REFUSED_SECONDS)
    return f"{command} took {peak:,.0f} bytes and {seconds:.1f} s" if is_dear else ""


def fuzz(rng: random.Random, place: Place) -> str:
    """A hundred lists, sources and documents, changed at random, are read, or refused as ours are."""
    done = commands.call(
        read_changed, place.folder, rng.random(), FUZZED, place.store, place.folder / "fuzzed"
    )
    return f"{done.stderr[-2000:]}" if done.returncode else ""


def race(rng: random.Random, place: Place) -> str:
    """Two runs, `maintain`, which removes what it may, and `models list` in one store at once."""
    store = place.fresh()
    others = (["maintain", "--max-size", "1"], ["models", "list"])
    look = [[str(COMMAND), *words, "--store", str(store)] for words in others]
    racers = [[str(COMMAND), *place.words(store)]] * 2 + look * 2
    running = []
    for command in racers:
        time.sleep(rng.random() * place.seconds / len(racers))
        running.append(
            subprocess.Popen(
                command, env=clean_environment(place.folder), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    for process, command in zip(running, racers, strict=True):
        _, told = process.communicate(timeout=commands.HANGS_SECONDS)
        if process.returncode or "Traceback" in told:
            return f"{command[1:3]} ended with {process.returncode}: {told[-2000:]}"
    return place.fault_of_rerun(store)


def soak(rng: random.Random, place: Place) -> str:
    """A retraining on one of some lists in a store with a quota: what is made again has its earlier bytes."""
    store = place.folder / "soaked"
    names = place.lists[0].read_text().splitlines()
    changing = place.folder / "changing.txt"
    changing.write_text("\n".join(random.Random(rng.randrange(SOAKED_LISTS)).sample(names, 80)) + "\n")
    words = quick_options((changing, place.lists[1]), store)
    keep = ["--max-size", str(SOAKED_BYTES), "--keep-last", "1", "--store", str(store)]
    for command in (["run", "--engine", "plain", *words, "--gate.mode", "report"], ["maintain", *keep]):
        done = commands.run(command, place.folder)
        if done.returncode or traceback_in(done):
            return f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}"
        digests = {name: hashlib.sha256(content).digest() for name, content in files_of(store).items()}
        seen = place.soaked
        if changed := [name for name, digest in digests.items() if seen.setdefault(name, digest) != digest]:
            return f"other bytes: {changed}"
    used = sum(path.lstat().st_size for path in store.rglob("*") if path.is_file())
    locks = len(list((store / "locks").rglob("*.*")))
    return f"{used:,} bytes and {locks} locks are kept" * (used > SOAKED_BYTES or locks > 200)


ATTACKS: dict[str, Callable[[random.Random, Place], str]] = {
    attack.__name__: attack
    for attack in (
        *(kill_by_time, kill_by_call, kill_in_a_bucket, failing_disk, corruption, document, fuzz, race),
        soak,
    )
}
