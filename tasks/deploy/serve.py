"""Running the deployments of prefect.yaml in one process, without a worker: for a demonstration."""

import contextlib
from collections.abc import Iterable
from typing import Any

import httpx
from prefect import serve
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectNotFound

from tasks.deploy.apply_automations import resource_of
from tasks.deploy.deployment_file import Deployment
from tasks.server.api_errors import server_errors

_SUFFIX = "-served"  # so that a site's own deployments on the same server are left alone


def serve_deployments(deployments: Iterable[Deployment]) -> None:
    """Serve until Ctrl-C or SIGTERM, then remove them from the server: nothing would run what they start.

    Raises ServerError if the server refuses, or does not answer.
    """
    deployments = list(deployments)
    try:
        with server_errors("to serve the deployments", "run the same command again"):
            _serve([_runner_deployment(deployment) for deployment in deployments])
    finally:
        # A server that is down starts nothing, and a refusal has been reported.
        with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            for deployment in deployments:
                _remove(client, f"{deployment.full_name}{_SUFFIX}")


def _serve(deployments: Iterable[RunnerDeployment]) -> None:
    try:
        serve(*deployments)
    except DeploymentApplyError as refused:  # Prefect's wrapping of what its client raised
        raise refused.__cause__ or refused from refused


def _remove(client: SyncPrefectClient, name: str) -> None:
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:  # serving ended before it was created
        return
    client.delete_resource_owned_automations(resource_of(deployment.id))
    client.delete_deployment(deployment.id)


def _runner_deployment(deployment: Deployment) -> RunnerDeployment:
    fields = deployment.fields
    triggers: list[Any] = [
        trigger.model_copy(update={"name": f"served {trigger.name or ''}"}) for trigger in deployment.triggers
    ]
    runner_deployment = deployment.flow.to_deployment(
        name=f"{deployment.name}{_SUFFIX}",
        schedules=list(deployment.schedules.values()),
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
    assert isinstance(runner_deployment, RunnerDeployment)  # a coroutine where an event loop runs
    return runner_deployment
