"""`FunctionThreads`: the threads in which synchronous functions run, a pool for each kind of function."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

_THREADS = 32
_OTHERS = "function"
_POOLS = {"orchestrationtrigger": "orchestrator", "entitytrigger": "entity", "activitytrigger": "activity"}
_POOL: ContextVar[str] = ContextVar("pool", default=_OTHERS)


def choose_pool(trigger_type: str) -> None:
    """Say which kind of function the calling task is about to run."""
    _POOL.set(_POOLS.get(trigger_type.lower(), _OTHERS))


class FunctionThreads:
    """Puts a pool for each kind of function where the worker library and the durable SDK look for their only one.

    In a pool that all share, functions that wait for an orchestration keep the orchestration from its turn.
    """

    def __init__(self) -> None:
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def start(self) -> None:
        """Make the pools.

        Without the app setting the library takes cores + 4 threads, which makes a small laptop run a fan-out of
        blocking calls in single file; its own upper bound is taken instead, whatever the number of cores.
        """
        from azure_functions_runtime.utils import threadpool

        threads = threadpool._get_max_workers() or _THREADS
        names = (*_POOLS.values(), _OTHERS)
        self._pools = {name: ThreadPoolExecutor(threads, thread_name_prefix=name) for name in names}
        threadpool._threadpool_executor = self._pools[_OTHERS]
        self._be_found_by(lambda: self._pools.get(_POOL.get()))

    def release(self) -> None:
        """Take no more functions; a thread ends with the function that it runs."""
        from azure_functions_runtime.utils import threadpool

        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        if self._pools:
            self._pools.clear()
            threadpool._threadpool_executor = None
            self._be_found_by(threadpool.get_threadpool_executor)

    def _be_found_by(self, look_up: Any) -> None:
        import azure_functions_runtime
        from azure_functions_runtime import native_invocation

        places: tuple[Any, ...] = (azure_functions_runtime, native_invocation)
        for place in places:
            place.get_threadpool_executor = look_up
