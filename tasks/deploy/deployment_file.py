"""prefect.yaml, as `prefect deploy` reads it: which flows run by themselves, and when."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events import DeploymentTriggerTypes, EventTrigger
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values
from pydantic import BaseModel, TypeAdapter

from artifacts.documents import MOST_DEPTH, check_bounds, open_file
from rnn_core.errors import ConfigError
from tasks.config.options import nearest

_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
_SCHEDULES = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}

# The keys that a file may have, by what they describe; Prefect's own command knows more.
_FILE_KEYS = ("name", "prefect-version", "definitions", "pull", "deployments")
_DEPLOYMENT_KEYS = (
    "name", "entrypoint", "description", "tags", "work_pool", "parameters", "concurrency_limit", "schedules",
    "triggers", "pull",
)  # fmt: skip
_WORK_POOL_KEYS = ("name", "job_variables")
_SCHEDULE_KEYS = ("slug", *_SCHEDULES, "timezone", "anchor_date", "day_or", "active", "parameters")
LOCAL = Path("prefect.yaml")
DEFAULT = Path(__file__).with_name("prefect.yaml")  # for a site that has none of its own

_MOST_BYTES = 1 << 20
_DEEP = re.compile(rf"(?:[\[{{]\s*+){{{MOST_DEPTH}}}")
_VARIABLE = re.compile(r"{{\s*\$(\w+)\s*}}")

_Entry = Mapping[str, Any]  # a part of the file, as YAML gives it


class Deployment(NamedTuple):
    """A deployment as the file declares it.

    fields:     as the server has them, in JSON; `concurrency_limit` is a number.
    schedules:  by slug.
    """

    flow: Flow[..., Any]
    name: str
    fields: Mapping[str, Any]
    schedules: Mapping[str, DeploymentScheduleCreate]
    triggers: tuple[DeploymentTriggerTypes, ...]

    @property
    def full_name(self) -> str:
        """The name that Prefect shows: flow/deployment."""
        return f"{self.flow.name}/{self.name}"

    @property
    def when(self) -> str:
        """When its schedules start it, for people. What else starts it has an automation."""
        return "; ".join(map(_when, self.schedules.values()))


def load_deployments(file: Path | None) -> list[Deployment]:
    """The deployments that a file declares. {{ $VARIABLE }} stands for a variable of the environment.

    file:  by default prefect.yaml in the current folder, or without one the file of this package. Entrypoints
           that name a file are relative to the current folder.

    Raises ConfigError.
    """
    file = file or (LOCAL if LOCAL.exists() else DEFAULT)
    try:
        with open_file(file, follow_links=True) as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
        if _DEEP.search(text := content.decode()):  # over which PyYAML would take seconds
            raise RecursionError
        loaded = yaml.safe_load(text)
        check_bounds(loaded)  # which aliases may make deep, or huge
        document: Any = apply_values(loaded, {}, remove_notset=False)
        entries = document["deployments"]
        if missing := _VARIABLE.search(str(document)):
            raise _invalid(file, f"the variable {missing[1]} is not set", missing[0])
        _check_keys("the file", document, _FILE_KEYS)
        deployments = [_deployment(file, {"pull": document.get("pull"), **entry}) for entry in entries]
        _check_unique("deployment", (deployment.full_name for deployment in deployments))
        return deployments
    except OSError as refusal:
        fault = f"it cannot be read: {refusal.strerror}"
    except RecursionError:
        fault = "it is nested too deeply"
    except (yaml.YAMLError, ValueError) as invalid:  # not in UTF-8, or what the checks say
        fault = str(invalid)
    except (TypeError, KeyError, AttributeError) as missing_part:
        fault = f"{type(missing_part).__name__}: {missing_part}"
    raise _invalid(file, "it declares no valid deployments", fault)


def _deployment(file: Path, entry: _Entry) -> Deployment:
    name = entry["name"]
    try:
        _check_keys("the deployment", entry, _DEPLOYMENT_KEYS)
        flow = _flow(file, name, entry["entrypoint"])
        schedules = entry.get("schedules") or ()
        _check_unique("slug", (schedule["slug"] for schedule in schedules))
        return Deployment(
            flow,
            name,
            _fields(flow, entry),
            {schedule["slug"]: _schedule(schedule) for schedule in schedules},
            tuple(_triggers(name, entry.get("triggers") or ())),
        )
    except KeyError as missing:
        raise _invalid(file, f"the deployment {name} is incomplete", f"{missing} is missing") from missing
    except (ValueError, TypeError) as invalid:  # pydantic's own among them
        raise _invalid(file, f"the deployment {name} is invalid", str(invalid)) from invalid


def _flow(file: Path, name: str, entrypoint: str) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(entrypoint)
    except Exception as fault:  # whatever the import of that file may raise
        saw = f"{entrypoint}: {type(fault).__name__}: {fault}"
        raise _invalid(file, f"the flow of the deployment {name} cannot be loaded", saw) from fault


def _fields(flow: Flow[..., Any], entry: _Entry) -> dict[str, Any]:
    pool, limit = entry["work_pool"], _limit(entry.get("concurrency_limit"))
    options = {name: value for name, value in limit.items() if name != "limit"}
    _check_keys("its work_pool", pool, _WORK_POOL_KEYS)
    return {
        "entrypoint": entry["entrypoint"],
        "description": entry.get("description") or flow.description,
        "tags": list(entry.get("tags") or ()),
        "parameters": dict(entry.get("parameters") or {}),
        "work_pool_name": pool["name"],
        "job_variables": dict(pool.get("job_variables") or {}),
        "concurrency_limit": limit.get("limit"),
        "concurrency_options": options or None,
        "pull_steps": entry["pull"],
        "parameter_openapi_schema": parameter_schema(flow).model_dump(mode="json", exclude_unset=True),
        "enforce_parameter_schema": True,
        "version": version("namewright"),
    }


def _limit(entry: Any) -> dict[str, Any]:
    """The options that are set; empty if there is no limit."""
    if entry is None:
        return {}
    limit = entry if isinstance(entry, Mapping) else {"limit": entry}
    _check_keys("its concurrency_limit", limit, ConcurrencyLimitConfig.model_fields)
    return ConcurrencyLimitConfig.model_validate(limit).model_dump(mode="json", exclude_unset=True)


def _schedule(entry: _Entry) -> DeploymentScheduleCreate:
    _check_keys(f"its schedule {entry['slug']}", entry, _SCHEDULE_KEYS)
    kinds = _SCHEDULES.keys() & entry.keys()
    if len(kinds) != 1:
        raise ValueError(
            f"the schedule {entry['slug']} needs one of {', '.join(_SCHEDULES)}, not {len(kinds)}"
        )
    (kind,) = kinds
    timing = {name: entry[name] for name in (kind, "timezone", "anchor_date", "day_or") if name in entry}
    rest = {name: entry[name] for name in ("slug", "active", "parameters") if name in entry}
    return DeploymentScheduleCreate(schedule=_SCHEDULES[kind](**timing), **rest)


def _triggers(name: str, entries: Iterable[_Entry]) -> Iterator[DeploymentTriggerTypes]:
    for number, entry in enumerate(entries, start=1):
        trigger = _TRIGGER.validate_python({"name": f"{name}__automation_{number}", **entry})
        _check_trigger(f"its trigger {trigger.name}", entry, trigger)
        yield trigger


def _check_trigger(what: str, entry: _Entry, trigger: BaseModel) -> None:
    """Prefect ignores unknown keys, and a trigger that expects nothing fires at every event."""
    _check_keys(what, entry, type(trigger).model_fields)
    if isinstance(trigger, EventTrigger) and not (trigger.expect or trigger.after):
        raise ValueError(f"{what} has neither expect nor after: every event would fire it")
    for part, part_trigger in zip(entry.get("triggers", ()), getattr(trigger, "triggers", ()), strict=True):
        _check_trigger(f"a part of {what}", part, part_trigger)


def _check_keys(what: str, entry: Any, known: Collection[str]) -> None:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{what} is {entry!r}, not keys with values")
    for key in entry:
        if key not in known:
            meant = nearest(str(key), known)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
            raise ValueError(f"{what} has an unknown key {key}; {hint}")


def _check_unique(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"the {what} {name} is given {count} times")


def _when(schedule: DeploymentScheduleCreate) -> str:
    fields = schedule.schedule.model_dump(mode="json")
    (kind,) = _SCHEDULES.keys() & fields.keys()
    return f"{'every ' if kind == 'interval' else ''}{fields[kind]} {fields.get('timezone') or 'UTC'}"


def _invalid(file: Path, what: str, saw: str) -> ConfigError:
    return ConfigError(
        "config.deployments",
        f"the deployment file is invalid: {what}",
        where=str(file.absolute()),
        saw=saw,
        fix=f"compare it with {DEFAULT}, or name another file: --file.",
    )
