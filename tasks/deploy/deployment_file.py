"""prefect.yaml, as `prefect deploy` reads it: which flows run by themselves, and when."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import yaml
from prefect import Flow
from prefect._vendor.croniter import croniter as _croniter  # type: ignore[attr-defined]
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events import DeploymentTriggerTypes, EventTrigger
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values
from pydantic import BaseModel, TypeAdapter

from rnn_core.errors import ConfigError
from tasks.config.form import set_values
from tasks.config.options import nearest
from tasks.config.resolve import parse_defaults
from tasks.config.retrain import RetrainConfig
from tasks.config.site import DEFAULT as DEFAULT_SITE
from tasks.config.site import PULL_STEP, VARIABLE, folder_of, site_name, site_of
from tasks.config.yaml_file import read_yaml

_CRON: Any = _croniter  # with which Prefect's server computes the times of a schedule
_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
_SCHEDULES = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}

# The keys that a file may have, by what they describe.
_FILE_KEYS = ("name", "prefect-version", "definitions", "pull", "deployments", "build", "push", "alert")
_DEPLOYMENT_KEYS = (
    "name", "version", "entrypoint", "flow_name", "description", "tags", "work_pool", "parameters",
    "enforce_parameter_schema", "concurrency_limit", "paused", "schedules", "triggers", "pull", "build",
    "push", "version_type", "schedule", "sla",
)  # fmt: skip
_WORK_POOL_KEYS = ("name", "work_queue_name", "job_variables")
_SCHEDULE_KEYS = (
    "slug",
    *_SCHEDULES,
    "timezone",
    "anchor_date",
    "day_or",
    "active",
    "parameters",
    "replaces",
)
# What Prefect's own command does and ours does not. `prefect init` writes them without a value.
_NOT_DONE = {
    "build": "build images with: prefect deploy",
    "push": "push images with: prefect deploy",
    "version_type": "only Prefect Cloud keeps versions",
    "schedule": "write a list: schedules",
    "sla": "only Prefect Cloud has them",
    "replaces": "a schedule is known by its slug; delete the other in the UI",
}
_OURS = re.compile(rf"prefect\.resource\.id': \[?'({DEFAULT_SITE}\.\w+)")  # a resource of the default site
LOCAL = Path("prefect.yaml")
DEFAULT = Path(__file__).with_name("prefect.yaml")  # for a site that has none of its own
_VARIABLE = re.compile(r"{{\s*\$(\w+)\s*}}")

_Entry = Mapping[str, Any]  # a part of the file, as YAML gives it


class Deployment(NamedTuple):
    """A deployment as the file declares it.

    fields:     as the server has them, in JSON; `concurrency_limit` is a number.
    schedules:  by slug.
    alert:      the block by which people are alerted, as type/name; empty if they are not.
    """

    flow: Flow[..., Any]
    name: str
    fields: Mapping[str, Any]
    schedules: Mapping[str, DeploymentScheduleCreate]
    triggers: tuple[DeploymentTriggerTypes, ...]
    alert: str

    @property
    def site(self) -> str:
        """The site that its runs belong to."""
        return site_of(self.fields["job_variables"])

    @property
    def folder(self) -> str:
        """The folder in which its runs start; empty if they fetch their code from elsewhere."""
        return folder_of(self.fields["pull_steps"])

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

    A null is as good as no value, and `pull` without one is this folder, as for Prefect's own command.

    The form of a run begins with the values that the site has now.

    file:  by default prefect.yaml in the current folder, or without one the file of this package. Entrypoints
           that name a file are relative to the current folder.

    Raises ConfigError.
    """
    config, _ = parse_defaults()  # what is invalid in it is reported now, and not by the run of the night
    site = site_name(file=file or LOCAL)  # without a file, that of the folder
    file = file or (LOCAL if LOCAL.exists() else DEFAULT)
    try:
        document: Any = apply_values(read_yaml(file), {}, remove_notset=False)
        if missing := _VARIABLE.search(str(document)):
            raise _invalid(file, f"the variable {missing[1]} is not set", missing[0])
        document = _without_nulls(document)
        entries = document["deployments"]
        _check_keys("the file", document, _FILE_KEYS)
        _refuse_not_done(file, document)
        pull = document.get("pull", [{PULL_STEP: {"directory": str(Path.cwd())}}])
        alert = str(document.get("alert", ""))
        deployments = [_deployment(file, site, {"pull": pull, **entry}, alert) for entry in entries]
        for deployment in deployments:
            definitions = deployment.fields["parameter_openapi_schema"].get("definitions", {})
            if RetrainConfig.__name__ in definitions:
                set_values(definitions, config)
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


def require_site(file: Path, deployments: Iterable[Deployment], site: str) -> None:
    """Raise ConfigError if the name of a deployment does not begin with this site's."""
    for deployment in deployments:
        if not f"{deployment.name}-".startswith(f"{site}-"):
            name = f"{{{{ ${VARIABLE} }}}}-{deployment.name}"
            raise _invalid(
                file, f"--site needs names that begin with {site}", f"{deployment.name}; write {name}"
            )


def _deployment(file: Path, site: str, entry: _Entry, alert: str) -> Deployment:
    name = entry["name"]
    try:
        _check_keys("the deployment", entry, _DEPLOYMENT_KEYS)
        flow = _flow(file, name, entry["entrypoint"])
        schedules = entry.get("schedules") or ()
        _check_unique("slug", (schedule["slug"] for schedule in schedules))
        return Deployment(
            flow,
            name,
            _fields(flow, site, entry),
            {schedule["slug"]: _schedule(schedule) for schedule in schedules},
            tuple(_triggers(site, name, entry.get("triggers") or ())),
            alert,
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


def _fields(flow: Flow[..., Any], site: str, entry: _Entry) -> dict[str, Any]:
    pool, limit = entry["work_pool"], _limit(entry.get("concurrency_limit"))
    options = {name: value for name, value in limit.items() if name != "limit"}
    _check_keys("its work_pool", pool, _WORK_POOL_KEYS)
    variables = pool.get("job_variables") or {}
    fields = {
        "entrypoint": entry["entrypoint"],
        "description": entry.get("description") or flow.description,
        "tags": [tags] if isinstance(tags := entry.get("tags") or [], str) else list(tags),
        "parameters": dict(entry.get("parameters") or {}),
        "work_pool_name": pool["name"],
        "work_queue_name": pool.get("work_queue_name") or "default",
        "job_variables": {**variables, "env": {VARIABLE: site, **(variables.get("env") or {})}},
        "concurrency_limit": limit.get("limit"),
        "concurrency_options": options or None,
        "pull_steps": [pull] if isinstance(pull := entry["pull"], Mapping) else pull,
        "parameter_openapi_schema": parameter_schema(flow).model_dump(mode="json", exclude_unset=True),
        "enforce_parameter_schema": entry.get("enforce_parameter_schema", True),
        "version": entry.get("version") or version("namewright"),
    }
    return {**fields, "paused": entry["paused"]} if "paused" in entry else fields  # else an operator decides


def _without_nulls(value: Any) -> Any:
    """Without the keys that have no value, at any depth; of a run's parameters a null is a value."""
    if isinstance(value, Mapping):
        return {
            key: part if key == "parameters" else _without_nulls(part)
            for key, part in value.items()
            if part is not None
        }
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _refuse_not_done(file: Path, document: _Entry) -> None:
    """Name all that the file asks for and that is not done here, at once."""
    parts = [("the file", document)]
    for deployment in document["deployments"]:
        parts.append((f"the deployment {deployment.get('name')}", deployment))
        parts += [(f"its schedule {entry.get('slug')}", entry) for entry in deployment.get("schedules") or ()]
    lines = [
        f"{key} of {what}: {_NOT_DONE[key]}"
        for what, entry in parts
        for key in entry
        if key in _NOT_DONE and entry[key]
    ]
    if lines:
        raise _invalid(file, "it asks for what only `prefect deploy` does", "; ".join(lines))


def _limit(entry: Any) -> dict[str, Any]:
    """The options that are set; empty if there is no limit."""
    if entry is None or entry == {}:
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


def _triggers(site: str, name: str, entries: Iterable[_Entry]) -> Iterator[DeploymentTriggerTypes]:
    for number, entry in enumerate(entries, start=1):
        trigger = _TRIGGER.validate_python({"name": f"{name}__automation_{number}", **entry})
        _check_trigger(f"its trigger {trigger.name}", entry, trigger)
        if site != DEFAULT_SITE and (foreign := _OURS.search(str(entry))):
            raise ValueError(
                f"its trigger {trigger.name} waits for {foreign[1]}, but this site is {site}: "
                f"write {{{{ ${VARIABLE} }}}} in the place of {DEFAULT_SITE}"
            )
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
    when = f"{'every ' if kind == 'interval' else ''}{fields[kind]} {fields.get('timezone') or 'UTC'}"
    skipped = skipped_hour(schedule.schedule) if isinstance(schedule.schedule, CronSchedule) else None
    return (
        f"{when} (an hour early on {skipped:%Y-%m-%d}, when {skipped:%H:%M} does not exist)"
        if skipped
        else when
    )


def skipped_hour(schedule: CronSchedule) -> datetime | None:
    """The first time within a year that summer time skips; Prefect runs it an hour early that day."""
    zone = ZoneInfo(schedule.timezone or "UTC")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for _ in range(366 * 24):
        before, hour = hour, hour + timedelta(hours=1)
        first = before.astimezone(zone).replace(tzinfo=UTC) + timedelta(hours=1)
        last = hour.astimezone(zone).replace(tzinfo=UTC)
        if first < last:
            cron = _CRON(schedule.cron, first - timedelta(seconds=1), day_or=schedule.day_or)
            due: datetime = cron.get_next(datetime)
            if due < last:
                return due
    return None


def _invalid(file: Path, what: str, saw: str) -> ConfigError:
    return ConfigError(
        "config.deployments",
        f"the deployment file is invalid: {what}",
        where=str(file.absolute()),
        saw=saw,
        fix=f"compare it with {DEFAULT}, or name another file: --file.",
    )
