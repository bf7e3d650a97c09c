"""The deployments of prefect.yaml in one process, without a work pool and a worker: for a demonstration."""

import contextlib
from collections.abc import Iterable
from typing import Any

import httpx
from prefect import serve
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectNotFound

from tasks.deploy.automations import PREFIX
from tasks.deploy.deployment_file import Deployment
from tasks.server.api_errors import server_errors

_SUFFIX = "-served"  # so that a site's own deployments on the same server are left alone


def serve_deployments(wanted: Iterable[Deployment]) -> None:
    """Until Ctrl-C or SIGTERM. Then they are gone from the server: nobody would run what they begin.

    Raises ServerError if the server refuses, or goes away.
    """
    wanted = list(wanted)
    try:
        with server_errors("what is to be served", "give the same command again"):
            _serve([_served(each) for each in wanted])
    finally:
        # A server that is gone begins nothing, and what one refuses has been told.
        with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            for each in wanted:
                _remove(client, f"{each.full_name}{_SUFFIX}")


def _serve(deployments: Iterable[RunnerDeployment]) -> None:
    try:
        serve(*deployments)
    except DeploymentApplyError as refused:  # Prefect's wrapping of what its client raised
        raise refused.__cause__ or refused from refused


def _remove(client: SyncPrefectClient, name: str) -> None:
    try:
        found = client.read_deployment_by_name(name)
    except ObjectNotFound:  # it was ended before it was there
        return
    client.delete_resource_owned_automations(f"prefect.deployment.{found.id}")
    client.delete_deployment(found.id)


def _served(wanted: Deployment) -> RunnerDeployment:
    fields = wanted.fields
    triggers: list[Any] = [
        each.model_copy(update={"name": f"served {(each.name or '').removeprefix(PREFIX)}"})
        for each in wanted.triggers
    ]
    deployment = wanted.flow.to_deployment(
        name=f"{wanted.name}{_SUFFIX}",
        schedules=list(wanted.schedules.values()),
        concurrency_limit=ConcurrencyLimitConfig.model_validate(
            {"limit": fields["concurrency_limit"], **(fields["concurrency_options"] or {})}
        )
        if fields["concurrency_limit"]
        else None,
        parameters=fields["parameters"],
        triggers=triggers,
        description=fields["description"],
        tags=fields["tags"],
        version=fields["version"],
    )
    assert isinstance(deployment, RunnerDeployment)  # a coroutine where an event loop runs
    return deployment
