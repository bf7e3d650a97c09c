"""Names of the states in which a run or a task can end in Prefect."""

CACHED = "Cached"  # nothing was computed: the store had it all
CHANGED = "Changed"  # a list changed, and the event was sent
DEFERRED = "Deferred"  # a list changed, and the event waits for the retraining that is running
