"""The pinned requirements answer pyproject.toml, are the same for all, and tell nothing of who made them."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LOCKS = ("run.txt", "test.txt")


def pins(text: str) -> list[tuple[Requirement, list[str]]]:
    """Each pinned requirement with its hashes."""
    logical_lines = [line for line in text.replace("\\\n", " ").splitlines() if not line.startswith("#")]
    return [
        (Requirement(re.split(r"\s+--hash=", line)[0]), re.findall(r"--hash=(\S+)", line))
        for line in logical_lines
    ]


def versions(text: str) -> dict[str, set[str]]:
    """Package -> its pinned versions: more than one where Pythons or systems need different ones."""
    found: dict[str, set[str]] = {}
    for requirement, _ in pins(text):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


@pytest.fixture(scope="module")
def locks(checkout) -> dict[str, str]:
    return {lock: (checkout / "requirements" / lock).read_text(encoding="utf-8") for lock in LOCKS}


@pytest.fixture(scope="module")
def declared(pyproject) -> dict[str, list[str]]:
    """Lock -> what pyproject.toml asks of it."""
    groups = pyproject["dependency-groups"]
    running = pyproject["project"]["dependencies"] + groups["build"]
    return {
        "run.txt": running,
        "test.txt": running + [entry for entry in groups["dev"] if isinstance(entry, str)],
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_direct_dependency_is_pinned_within_its_bounds(lock, locks, declared):
    pinned = versions(locks[lock])
    for requirement in map(Requirement, declared[lock]):
        chosen = pinned[canonicalize_name(requirement.name)]
        assert all(version in SpecifierSet(str(requirement.specifier)) for version in chosen), str(
            requirement
        )


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_carries_sha256_hashes(lock, locks):
    for requirement, hashes in pins(locks[lock]):
        assert hashes, str(requirement)
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), str(requirement)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_no_folder(lock, locks):
    for requirement, _ in pins(locks[lock]):
        assert requirement.url is None
    options = set(re.findall(r"(?<!\S)-[\w-]+", locks[lock]))
    assert options <= {"--hash"}
    assert not re.search(r"://|file:|@|\s[./~]", locks[lock])


@pytest.mark.parametrize("lock", LOCKS)
def test_what_we_are_measured_against_is_installed_for_the_measurement_alone(lock, locks, pyproject):
    ours = {Requirement(entry).name for entry in pyproject["project"]["dependencies"]}
    others = {Requirement(entry).name for entry in pyproject["dependency-groups"]["bench"]} - ours
    assert {"torch", "jax"} <= others
    assert not others & set(versions(locks[lock]))


def test_tests_run_with_the_versions_that_users_get(locks):
    running, testing = versions(locks["run.txt"]), versions(locks["test.txt"])
    assert {name: testing.get(name) for name in running} == running


def test_numpy_is_one_version_for_every_python(locks):
    # its kernels are part of what a training computes, to the bit
    assert len(versions(locks["run.txt"])["numpy"]) == 1


def test_what_builds_the_project_is_what_is_locked(pyproject):
    assert pyproject["dependency-groups"]["build"] == pyproject["build-system"]["requires"]
