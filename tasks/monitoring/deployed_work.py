"""The work of a flow as a deployed run does it: nobody waits at a terminal, and a worker may be stopped."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from prefect.client.schemas import State
from prefect.context import FlowRunContext
from prefect.states import Crashed

from rnn_core.errors import Interrupted
from tasks.engines.lease import is_deployed, survives_lost_lease
from tasks.monitoring import events

P = ParamSpec("P")


def deployed_work(work: Callable[P, State[Any]]) -> Callable[P, State[Any]]:
    """Decorate the work of a flow: a deployed run outlives its lease, and is *Crashed* if a signal stops it.

    *Failed* would say that it fails again. A scheduled run that crashed is begun once more, and resumes.
    """
    survivor = survives_lost_lease(work)

    @functools.wraps(work)
    def run(*arguments: P.args, **options: P.kwargs) -> State[Any]:
        try:
            return survivor(*arguments, **options)
        except Interrupted as stop:
            context = FlowRunContext.get()
            if not is_deployed() or context is None or context.flow is None or context.flow_run is None:
                raise
            state: State[Any] = Crashed(message=str(stop), data=stop)
            events.emit_failure(context.flow, context.flow_run, state)  # Prefect leaves this to the worker
            return state

    return run
