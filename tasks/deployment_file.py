"""prefect.yaml, as `prefect deploy` reads it: which flows run by themselves, and when."""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events import DeploymentTriggerTypes
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values
from pydantic import TypeAdapter, ValidationError

from rnn_core.errors import ConfigError

_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
_SCHEDULES = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}
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


def read(file: Path) -> list[Deployment]:
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
        return [_deployment(file, {"pull": document.get("pull"), **each}) for each in listed]
    except OSError as refusal:
        fault = f"it cannot be read: {refusal.strerror}"
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        fault = str(wrong)
    except (TypeError, KeyError, AttributeError) as missing_part:
        fault = f"{type(missing_part).__name__}: {missing_part}"
    raise _wrong(file, "it does not say which deployments there are", fault)


def _deployment(file: Path, said: Mapping[str, Any]) -> Deployment:
    name = said["name"]
    try:
        flow: Flow[..., Any] = load_flow_from_entrypoint(said["entrypoint"])
        schedules = {each["slug"]: _schedule(each) for each in said.get("schedules") or ()}
        triggers = tuple(_triggers(name, said.get("triggers") or ()))
        return Deployment(flow, name, _fields(flow, said), schedules, triggers)
    except KeyError as missing:
        raise _wrong(file, f"the deployment {name} lacks something", f"no {missing} is given") from missing
    except ValidationError as wrong:
        raise _wrong(file, f"the deployment {name} has what it cannot have", str(wrong)) from wrong
    except Exception as fault:  # whatever the import of that file may raise
        said_by = f"{said.get('entrypoint')}: {type(fault).__name__}: {fault}"
        raise _wrong(file, f"the flow of the deployment {name} cannot be loaded", said_by) from fault


def _fields(flow: Flow[..., Any], said: Mapping[str, Any]) -> dict[str, Any]:
    pool, limit = said["work_pool"], said.get("concurrency_limit")
    limit = {"limit": limit} if isinstance(limit, int) else limit or {}
    options = {name: value for name, value in limit.items() if name != "limit"}
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


def _schedule(said: Mapping[str, Any]) -> DeploymentScheduleCreate:
    (kind,) = _SCHEDULES.keys() & said.keys()
    about = {name: said[name] for name in (kind, "timezone", "anchor_date", "day_or") if name in said}
    rest = {name: said[name] for name in ("slug", "active", "parameters") if name in said}
    return DeploymentScheduleCreate(schedule=_SCHEDULES[kind](**about), **rest)


def _triggers(name: str, said: Any) -> Iterator[DeploymentTriggerTypes]:
    for number, each in enumerate(said, start=1):
        yield _TRIGGER.validate_python({"name": f"{name}__automation_{number}", **each})


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
