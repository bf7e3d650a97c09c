"""What a flow run was given, and what it runs with."""

from typing import Any

from tasks.config.form import as_json
from tasks.config.resolve import resolve_config
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.store_id import check_store
from tasks.engines.lease import current_run
from tasks.monitoring.run_tags import update_run


def resolve_parameters(
    config: RetrainConfig | None, settings: Settings | None
) -> tuple[RetrainConfig, Settings]:
    """The configuration of this flow run: of a deployed one, what it was given overlays that of its folder.

    Raises ConfigError as `resolve_config` does.
    """
    given = _given()
    if given is None:
        return resolve_config(config, settings)
    return resolve_config(given.get("config"), given.get("settings"))


def check_deployed_store(settings: Settings) -> None:
    """Raise StoreError if this run was deployed for another store, unless it was given this one."""
    given = (_given() or {}).get("settings") or {}
    if "store" not in given:
        check_store(settings.store)


def show_parameters(config: RetrainConfig, settings: Settings) -> None:
    """Make Prefect show, as the parameters of a deployed run, all that it runs with."""
    run, given = current_run(), _given()
    if run is None or given is None:
        return
    # Its store and its cores are of the machine that runs it, and no part of what another run is given.
    effective = {**given, "config": as_json(config)}
    if given.get("settings"):
        effective["settings"] = as_json(settings)
    update_run(run, "the parameters are not shown", parameters=effective)


def _given() -> dict[str, Any] | None:
    """The parameters of a deployed run as JSON: Prefect fills in the defaults before the flow sees them."""
    run = current_run()
    return run.parameters if run and run.deployment_id else None
