"""The Prefect flow that puts the store in order."""

from pathlib import Path
from typing import Annotated, Any

from prefect import flow

from tasks.config.form import Form
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.settings import chosen_store
from tasks.config.store_id import check_store
from tasks.monitoring.events import emit_failure
from tasks.monitoring.maintenance import run_maintenance


@flow(flow_run_name="maintain the store", on_failure=[emit_failure], on_crashed=[emit_failure])
def maintain(
    config: Annotated[MaintenanceConfig, Form(MaintenanceConfig)] = MaintenanceConfig(),
    store: Path | None = None,
    dry_run: bool = False,
) -> Any:
    """Verify every artifact and clear what nobody needs. Without a store it is that of NAMEWRIGHT_STORE."""
    root = chosen_store(store)
    if store is None:
        check_store(root)
    return run_maintenance(config, root, dry_run)


if __name__ == "__main__":
    maintain()
