"""The processor cores that this process may use: those it may run on, and what a container allows of them."""

import os
from collections.abc import Iterator
from pathlib import Path

_CONTROL_GROUPS = Path("sys/fs/cgroup")


def cores(root: Path = Path("/")) -> int:
    """How many whole cores this process may use; at least 1.

    root:  where /proc and /sys are.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(int(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The limits of the control groups of this process, in cores: of its own and all above."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / _CONTROL_GROUPS / controllers  # version 2 has all controllers in one tree
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if controllers:
                numbers = [_words(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
                quota, period = (words[0] if words else "" for words in numbers)
            else:
                quota, period = _words(folder / "cpu.max") or ("", "")
            if quota.isdecimal() and period.isdecimal() and int(period):  # `max` and -1 are no limit
                yield int(quota) / int(period)
            if folder == mount:
                break


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # a container shows its own group as the root, under the path that it has outside
        return []
