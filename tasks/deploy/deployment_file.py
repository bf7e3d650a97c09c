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

from rnn_core.errors import ConfigError
from tasks.config.options import nearest

_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
_SCHEDULES = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}

# What a file may say, by what it says it of; we read no more of what Prefect's own command knows.
_OF_FILE = ("name", "prefect-version", "definitions", "pull", "deployments")
_OF_DEPLOYMENT = (
    "name", "entrypoint", "description", "tags", "work_pool", "parameters", "concurrency_limit", "schedules",
    "triggers", "pull",
)  # fmt: skip
_OF_WORK_POOL = ("name", "job_variables")
_OF_SCHEDULE = ("slug", *_SCHEDULES, "timezone", "anchor_date", "day_or", "active", "parameters")
_VARIABLE = re.compile(r"{{\s*\$(\w+)\s*}}")


class Deployment(NamedTuple):
    """One that is wanted.

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
        return f"{self.flow.name}/{self.name}"

    @property
    def when(self) -> str:
        """By the clock, for people. What else starts it has an automation."""
        return "; ".join(_when(each) for each in self.schedules.values())


def load_deployments(file: Path) -> list[Deployment]:
    """The deployments that the file names. {{ $VARIABLE }} stands for one of the environment.

    Entrypoints are relative to the current folder. Raises ConfigError.
    """
    try:
        document: Any = apply_values(
            yaml.safe_load(file.read_text(encoding="utf-8")), {}, remove_notset=False
        )
        listed = document["deployments"]
        if missing := _VARIABLE.search(str(document)):
            raise _wrong(file, f"the variable {missing[1]} is not set", missing[0])
        _check_keys("the file", document, _OF_FILE)
        found = [_deployment(file, {"pull": document.get("pull"), **each}) for each in listed]
        _check_once("deployment", (each.full_name for each in found))
        return found
    except OSError as refusal:
        fault = f"it cannot be read: {refusal.strerror}"
    except (yaml.YAMLError, ValueError) as wrong:  # not in UTF-8, or what the checks say
        fault = str(wrong)
    except (TypeError, KeyError, AttributeError) as missing_part:
        fault = f"{type(missing_part).__name__}: {missing_part}"
    raise _wrong(file, "it does not say which deployments there are", fault)


def _deployment(file: Path, said: Mapping[str, Any]) -> Deployment:
    name = said["name"]
    try:
        _check_keys("the deployment", said, _OF_DEPLOYMENT)
        flow = _flow(file, name, said["entrypoint"])
        _check_once("slug", (each["slug"] for each in said.get("schedules") or ()))
        schedules = {each["slug"]: _schedule(each) for each in said.get("schedules") or ()}
        triggers = tuple(_triggers(name, said.get("triggers") or ()))
        return Deployment(flow, name, _fields(flow, said), schedules, triggers)
    except KeyError as missing:
        raise _wrong(file, f"the deployment {name} lacks something", f"no {missing} is given") from missing
    except (ValueError, TypeError) as wrong:  # pydantic's own among them
        raise _wrong(file, f"the deployment {name} has what it cannot have", str(wrong)) from wrong


def _flow(file: Path, name: str, entrypoint: str) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(entrypoint)
    except Exception as fault:  # whatever the import of that file may raise
        saw = f"{entrypoint}: {type(fault).__name__}: {fault}"
        raise _wrong(file, f"the flow of the deployment {name} cannot be loaded", saw) from fault


def _fields(flow: Flow[..., Any], said: Mapping[str, Any]) -> dict[str, Any]:
    pool, limit = said["work_pool"], _limit(said.get("concurrency_limit"))
    options = {name: value for name, value in limit.items() if name != "limit"}
    _check_keys("its work_pool", pool, _OF_WORK_POOL)
    return {
        "entrypoint": said["entrypoint"],
        "description": said.get("description") or flow.description,
        "tags": list(said.get("tags") or ()),
        "parameters": dict(said.get("parameters") or {}),
        "work_pool_name": pool["name"],
        "job_variables": dict(pool.get("job_variables") or {}),
        "concurrency_limit": limit.get("limit"),
        "concurrency_options": options or None,
        "pull_steps": said["pull"],
        "parameter_openapi_schema": parameter_schema(flow).model_dump(mode="json", exclude_unset=True),
        "enforce_parameter_schema": True,
        "version": version("namewright"),
    }


def _limit(said: Any) -> dict[str, Any]:
    """As far as it was said; empty if there is none."""
    if said is None:
        return {}
    limit = said if isinstance(said, Mapping) else {"limit": said}
    _check_keys("its concurrency_limit", limit, ConcurrencyLimitConfig.model_fields)
    return ConcurrencyLimitConfig.model_validate(limit).model_dump(mode="json", exclude_unset=True)


def _schedule(said: Mapping[str, Any]) -> DeploymentScheduleCreate:
    _check_keys(f"its schedule {said['slug']}", said, _OF_SCHEDULE)
    kinds = _SCHEDULES.keys() & said.keys()
    if len(kinds) != 1:
        raise ValueError(
            f"the schedule {said['slug']} has {len(kinds)} of {', '.join(_SCHEDULES)}, and not one"
        )
    (kind,) = kinds
    about = {name: said[name] for name in (kind, "timezone", "anchor_date", "day_or") if name in said}
    rest = {name: said[name] for name in ("slug", "active", "parameters") if name in said}
    return DeploymentScheduleCreate(schedule=_SCHEDULES[kind](**about), **rest)


def _triggers(name: str, said: Any) -> Iterator[DeploymentTriggerTypes]:
    for number, each in enumerate(said, start=1):
        found = _TRIGGER.validate_python({"name": f"{name}__automation_{number}", **each})
        _check_trigger(f"its trigger {found.name}", each, found)
        yield found


def _check_trigger(what: str, said: Mapping[str, Any], read: BaseModel) -> None:
    """Prefect passes over what it does not know, and a trigger that expects nothing fires at every event."""
    _check_keys(what, said, type(read).model_fields)
    if isinstance(read, EventTrigger) and not (read.expect or read.after):
        raise ValueError(f"{what} has neither expect nor after: every event would fire it")
    for part, part_read in zip(said.get("triggers", ()), getattr(read, "triggers", ()), strict=True):
        _check_trigger(f"a part of {what}", part, part_read)


def _check_keys(what: str, said: Any, known: Collection[str]) -> None:
    if not isinstance(said, Mapping):
        raise ValueError(f"{what} is {said!r}, and no keys with values")
    for key in said:
        if key not in known:
            meant = nearest(str(key), known)
            raise ValueError(f"{what} has {key}, which is not known there; did you mean {meant}?")


def _check_once(what: str, names: Iterable[str]) -> None:
    counts = Counter(names)
    for name in counts:
        if counts[name] > 1:
            raise ValueError(f"the {what} {name} is given {counts[name]} times")


def _when(each: DeploymentScheduleCreate) -> str:
    said = each.schedule.model_dump(mode="json")
    (kind,) = _SCHEDULES.keys() & said.keys()
    return f"{'every ' if kind == 'interval' else ''}{said[kind]} {said.get('timezone') or 'UTC'}"


def _wrong(file: Path, what: str, saw: str) -> ConfigError:
    return ConfigError(
        "config.deployments",
        f"the deployments cannot be set up: {what}",
        where=str(file.absolute()),
        saw=saw,
        fix="give the command in a checkout, whose prefect.yaml is one to compare with, or name one: --file.",
    )
