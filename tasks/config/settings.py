"""Where and how to run: never part of a key."""

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from artifacts import single_file
from artifacts.bucket import cache
from artifacts.bucket.address import bucket_address, mirror, mirrored_address
from artifacts.exports import Format
from artifacts.sizes import SIZE
from rnn_core.errors import ConfigError
from rnn_core.validators import AT_LEAST_0, check_fields, out_of_range, whole
from tasks.process.cores import cores

RunnerName = Literal["threads", "processes", "dask"]


def default_store() -> Path:
    """The store of NAMEWRIGHT_STORE, or artifacts/store in the current folder."""
    return checked_store(os.environ.get("NAMEWRIGHT_STORE") or "artifacts/store")


def chosen_store(store: Path | None) -> Path:
    """The store of an option, or without one that of NAMEWRIGHT_STORE. Raises as `checked_path` does."""
    return checked_store(store) if store else default_store()


def checked_store(path: str | Path) -> Path:
    """The folder of a store; of one in a bucket the folder that mirrors it. Raises as `checked_path` does."""
    address = bucket_address(path)
    return mirror(address) if address else checked_path("store", path)


def _checked_output(path: Path) -> Path:
    """Where to write a list. Raises ConfigError for one file in a bucket."""
    address = bucket_address(path)
    if address and Path(address).suffix.lower() in single_file.FORMATS:
        raise ConfigError(
            "config.columns",
            "a list in a bucket is a data set of several files",
            where="output",
            saw=address,
            fix=f"leave the suffix out, or write the file here and copy it: --output {Path(address).name}.",
        )
    return mirror(address) if address else checked_path("output", path)


def shown_store(store: Path) -> str:
    """The store as people know it: of a mirror, the address of the bucket."""
    return mirrored_address(store) or str(store)


def checked_path(option: str, path: str | Path) -> Path:
    """The path, with the user's folder for `~`.

    Raises ConfigError for an empty path, and for one that is not valid UTF-8, as manifests are.
    """
    expanded = os.path.expanduser(path)  # noqa: PTH111  # no user: no error
    if not expanded:
        raise out_of_range(option, "a path", "")
    if "\0" in expanded or expanded.encode(errors="replace").decode() != expanded:
        raise out_of_range(option, "a path in UTF-8", expanded)
    return Path(expanded)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run, as opposed to what to make.

    Attributes:
        store: Folder of the artifact store, or a bucket: s3://bucket/prefix, gs:// or az://; by default
            artifacts/store in the current folder.
        refresh: Stages to compute again even if the store has their artifacts.
        checkpoint_seconds: Seconds between two checkpoints of a training; 0 writes one after every step.
        cache_size: Most that copies of what is in buckets may take on this machine, such as 20GB; by default
            10GB. What was not used for the longest time goes; what a process uses stays.
        workers: Processes that share a training (training.shards), and threads for other work that can be
            shared; by default one per core that this process may use. The result does not depend on it.
    """

    store: Path = field(default_factory=default_store)
    refresh: tuple[str, ...] = ()
    checkpoint_seconds: Annotated[float, AT_LEAST_0] = 10.0
    cache_size: Annotated[str | None, SIZE] = None
    workers: Annotated[int, whole(1, 1 << 10)] = field(default_factory=cores)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", checked_store(self.store))
        check_fields(self)
        _limit_cache(self.cache_size)

    def __reduce__(self) -> tuple[Any, ...]:
        return _on_this_machine, (_options(self), shown_store(self.store))


def _limit_cache(size: str | None) -> None:
    """Bound the cache of this process: a store is opened in many places that know no settings."""
    if size:
        cache.set_limit(size)


def _options(settings: Settings) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in fields(settings) if field.name != "store"}


def _on_this_machine(options: dict[str, Any], store: str) -> Settings:
    """Settings that came from another machine, where the mirror of a bucket may have another path."""
    return Settings(store=Path(store), **options)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The workers that run stages in parallel, and how many there are.

    Attributes:
        runner: Threads of this process, processes of this machine, or Dask. The result is the same.
        workers: Number of workers; by default one per core that this process may use. A Dask cluster
            elsewhere has its own.
        dask_address: Address of a running Dask scheduler, tcp://host:8786. Without it, Dask starts
            workers here. Its workers need namewright installed, and the same folders under the same
            paths, or a store in a bucket.
        dask_dashboard: Port of the dashboard of Dask workers started here; by default they have none. The
            run logs its address.
    """

    runner: RunnerName = "threads"
    workers: Annotated[int, whole(1, 1 << 10)] = field(default_factory=cores)
    dask_address: str = ""
    dask_dashboard: Annotated[int | None, whole(1, 65_535)] = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("dask_address", "dask_dashboard"):
            if (value := getattr(self, name)) and self.runner != "dask":
                raise ConfigError(
                    "config.runner",
                    f"{name} has no effect without the Dask runner",
                    where=f"runner = {self.runner}",
                    saw=str(value),
                    fix="add --runner dask, or leave it out.",
                )


# Suffixes of files that people ask for; a folder of such a name is not what they meant.
_OTHER_FILES = frozenset(
    (
        *(".xlsx", ".xls", ".ods", ".tsv", ".json", ".ndjson", ".feather", ".arrow", ".pq"),
        *(".gz", ".zst", ".bz2", ".xz", ".zip", ".html", ".md", ".pdf", ".docx", ".db", ".sqlite"),
    )
)


@dataclass(frozen=True, slots=True)
class ListSettings:
    """Which model a list comes from, and where it is written.

    Attributes:
        model: A file model.npz, the key of a model in the store or its first digits, or `champion`: the
            promoted model.
        sources: Names of the lists whose champion is meant; by default those that were trained on last.
        output: A file, elves.csv, .parquet, .jsonl or .txt; or a folder for a data set in shards; or - for
            the names alone on standard output. Default: a folder in the store, named by the list's key.
        excel: Begin a CSV file with a byte order mark, so that Excel reads it as UTF-8.
        overwrite: Replace another list that is there.
        patience: Minutes that a list of names with wishes, such as a suffix, may take. If a trial of some
            seconds says that it takes longer, nothing is written; 0 allows any time.
        store: Folder of the artifact store; by default artifacts/store in the current folder.
        cache_size: Most that copies of what is in buckets may take on this machine, such as 20GB; by default
            10GB. What was not used for the longest time goes; what a process uses stays.
    """

    model: str = "champion"
    sources: tuple[str, ...] = ()
    output: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None  # - is standard output
    excel: bool = False
    overwrite: bool = False
    patience: Annotated[float, AT_LEAST_0] = 60.0
    store: Path = field(default_factory=default_store)
    cache_size: Annotated[str | None, SIZE] = None
    workers: Annotated[WorkerSettings, Parameter(name="*")] = field(default_factory=WorkerSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", checked_store(self.store))
        check_fields(self)
        _limit_cache(self.cache_size)
        if self.output:
            object.__setattr__(self, "output", _checked_output(self.output))
            suffix = self.output.suffix.lower()
            if suffix in _OTHER_FILES and not self.output.is_dir():
                raise ConfigError(
                    "config.columns",
                    f"no list is written as {suffix}",
                    where="output",
                    saw=str(self.output),
                    fix="name a file .csv (which spreadsheets open), .parquet, .jsonl or .txt; or a folder.",
                )
        if self.excel and self.file_format != "csv":
            raise ConfigError(
                "config.columns",
                "a byte order mark is for one CSV file",
                saw=f"output {self.output}",
                fix="--output names.csv --excel, or leave --excel out.",
            )

    @property
    def is_stdout(self) -> bool:
        """Whether the names go to standard output."""
        return self.output == Path("-")

    @property
    def file_format(self) -> Format | None:
        """The format of the one file to write; None for a data set in a folder."""
        return single_file.file_format(self.output) if self.output else None
