"""Functions that hold on to their threads, and the others that need one meanwhile."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_host.function_threads import FunctionThreads, choose_pool
from local_host.testing import running_host
from tests.local_host.calls import call, eventually

APP = Path(__file__).parent / "apps_http" / "blocking"
# More than the 32 threads of a pool.
MANY = 40


@pytest.fixture(scope="module")
def host() -> Iterator[running_host]:
    with running_host(APP) as host:
        yield host


def test_many_synchronous_functions_can_wait_for_orchestrations_at_once(host):
    with ThreadPoolExecutor(MANY) as clients:
        answers = list(clients.map(lambda n: call("GET", f"{host.base_url}/api/run?n={n}"), range(MANY)))
    assert [(answer.status, answer.text) for answer in answers] == [(200, str(2 * n)) for n in range(MANY)]


def test_blocking_activities_keep_neither_orchestrators_nor_http_functions_from_their_turn(host):
    begin = f"{host.base_url}/runtime/webhooks/durabletask/orchestrators"
    waiting = call("POST", f"{begin}/many_wait", MANY).json()["statusQueryGetUri"]
    assert eventually(lambda: call("GET", f"{host.base_url}/api/waiting").text == "32")
    assert call("POST", f"{begin}/ends_at_once?timeout=10").json() == "ended"
    assert call("GET", waiting).json()["runtimeStatus"] == "Running"
    assert call("GET", f"{host.base_url}/api/release").text == "released"
    assert eventually(lambda: (status := call("GET", waiting).json())["runtimeStatus"] == "Completed" and status)


def test_the_app_setting_bounds_each_pool_and_a_release_ends_all_of_them(monkeypatch):
    import azure_functions_runtime
    from azure_functions_runtime import native_invocation

    before = set(threading.enumerate())
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", "2")
    threads = FunctionThreads()
    threads.start()
    names: set[str] = set()
    for kind in ("orchestrationTrigger", "entityTrigger", "activityTrigger", "httpTrigger", "timerTrigger"):
        choose_pool(kind)
        pool = azure_functions_runtime.get_threadpool_executor()
        assert pool is native_invocation.get_threadpool_executor()
        assert pool is not None
        assert pool._max_workers == 2
        names.add(pool.submit(lambda: threading.current_thread().name.partition("_")[0]).result(10))
    assert names == {"orchestrator", "entity", "activity", "function"}
    threads.release()
    threads.release()
    assert azure_functions_runtime.get_threadpool_executor() is None
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
