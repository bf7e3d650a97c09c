"""The lease by which a deployed run holds its slot, and what happens to the run when the lease is lost."""

import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from prefect._internal.concurrency.cancellation import CancelledError
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from tasks.process import signals

_POLL_SECONDS = 0.2  # a wait without a limit would not hear signals: tasks.engines.concurrent

P = ParamSpec("P")
T = TypeVar("T")


def current_run() -> FlowRun | None:
    """This flow run; None outside of a flow."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def is_deployed() -> bool:
    """Whether this flow run was started by a deployment, so that nobody waits for it at a terminal."""
    run = current_run()
    return bool(run and run.deployment_id)


def survives_lost_lease(work: Callable[P, T]) -> Callable[P, T]:
    """Decorate the work of a flow: it ends even if the server gives the slot of its run away.

    Where a lease cannot be renewed (the server forgot it, or was away for a minute), Prefect raises
    CancelledError in the thread of the flow, wherever that is: all stages would be made, and their model
    never promoted. So the work is done in another thread. What the slot is for is not worth a run: two
    trainings at once are slower, and the store has locks.
    """

    @functools.wraps(work)
    def survivor(*arguments: P.args, **options: P.kwargs) -> T:
        if not is_deployed():
            return work(*arguments, **options)
        with signals.graceful_shutdown(), ThreadPoolExecutor(1) as thread:
            context = contextvars.copy_context()  # Prefect finds the run in it
            future = thread.submit(context.run, lambda: work(*arguments, **options))
            for _ in range(2):  # Prefect cancels a run once
                try:
                    while not future.done():
                        wait([future], timeout=_POLL_SECONDS)
                    break
                except CancelledError:
                    get_run_logger().warning("the slot of this run is lost; another may start beside it")
            return future.result()

    return survivor
