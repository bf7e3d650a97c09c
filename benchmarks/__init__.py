"""Benchmarks. BENCHMARK_CORES sets the number of cores, here, before NumPy is imported.

NumPy's own products have one thread even so: with two cores it is our processes that are two.
"""

import os

CORES = int(os.environ.get("BENCHMARK_CORES", "1"))

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
if CORES == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if "BENCHMARK_CORES" in os.environ and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
