"""The host and its worker processes, killed in the middle of their work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_host.settings import SettingsError, worker_count
from local_host.testing import ROOT, HostProcessError, running_host
from tests.local_host.calls import Answer, call, eventually
from tests.local_host.processes import LIMIT_S, has_ended, times_begun, watch
from tests.local_host.test_cli import HEAD, HELLO, app, run

APP = Path(__file__).parent / "apps" / "mortal"


def begin(host: running_host, orchestrator: str, argument: object) -> str:
    """Start an orchestration and return the URL of its status."""
    answer = call("POST", f"{host.base_url}/runtime/webhooks/durabletask/orchestrators/{orchestrator}", argument)
    assert answer.status == 202, answer.text
    return answer.json()["statusQueryGetUri"]


def end(status_url: str) -> dict[str, Any]:
    return eventually(lambda: (a := call("GET", status_url)).status == 200 and a.json(), limit_s=60)


def output(status_url: str) -> Any:
    status = end(status_url)
    assert status["runtimeStatus"] == "Completed", status
    return status["output"]


def in_background(method: str, url: str) -> tuple[threading.Thread, list[Answer]]:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(call(method, url)))
    thread.start()
    return thread, answers


# --- Workers that are killed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_activities_of_killed_workers_run_again_and_count_once(workers: int, tmp_path: Path) -> None:
    held, free = str(tmp_path / "held"), list(range(40))
    with running_host(APP, args=["--workers", str(workers)]) as host:
        first = host.worker_pids
        assert len(first) == workers
        status = begin(host, "mixes", [*(["same", n] for n in free), *(["waits_for", held] for _ in range(20))])
        eventually(lambda: times_begun(Path(held)) == 20)
        for pid in first:
            host.kill_worker(pid)
        eventually(lambda: times_begun(Path(held)) > 30, limit_s=LIMIT_S)
        second = host.worker_pids
        assert not set(first) & set(second)
        for pid in second:
            host.kill_worker(pid)
        (tmp_path / "held").touch()
        assert output(status) == [*free, *["went on"] * 20]


def test_orchestrators_and_entities_of_a_killed_worker_run_again(tmp_path: Path) -> None:
    turn, operation = tmp_path / "turn", tmp_path / "operation"
    with running_host(APP) as host:
        orchestration = begin(host, "holds_its_turn", str(turn))
        entity = begin(host, "calls_the_entity", ["add", str(operation)])
        eventually(lambda: times_begun(turn) and times_begun(operation))
        host.kill_worker(host.worker_pids[0])
        for path in (turn, operation):
            path.touch()
        assert (output(orchestration), output(entity)) == ("went on", 1)
        assert (times_begun(turn), times_begun(operation)) == (2, 2)


def test_a_request_in_a_killed_worker_is_answered_with_500_and_told(tmp_path: Path) -> None:
    with running_host(APP) as host:
        pid = host.worker_pids[0]
        thread, answers = in_background("GET", f"{host.base_url}/api/wait?path={tmp_path / 'never'}")
        eventually(lambda: times_begun(tmp_path / "never"))
        host.kill_worker(pid)
        thread.join(LIMIT_S)
        assert [(answer.status, answer.body) for answer in answers] == [(500, b"")]
        host.wait_for_line(f"Function 'wait' was cut off and is not run again. Worker process {pid} was killed by SIGK")
        host.wait_for_line(f"process {pid} was killed by SIGKILL. Work items handed out again: 0, other calls lost: 1")
        host.wait_for_line("has loaded the app and takes over")
        assert call("POST", f"{host.base_url}/api/echo", b"hello").body == b"hello"


def test_a_request_that_comes_while_no_worker_lives_waits_for_the_next_one() -> None:
    with running_host(APP) as host:
        for _ in range(3):
            host.kill_worker(host.worker_pids[0])
            assert call("POST", f"{host.base_url}/api/echo", b"patience").body == b"patience"


def test_a_timer_function_in_a_killed_worker_is_told_and_runs_at_its_next_time(tmp_path: Path) -> None:
    code = (
        HEAD
        + f"""
import os, time
@app.timer_trigger(arg_name="timer", schedule="* * * * * *", run_on_startup=True)
def tick(timer: func.TimerRequest) -> None:
    try:
        open({str(tmp_path / "first")!r}, "x").close()
    except FileExistsError:
        print("tick ran", flush=True)
    else:
        print("tick holds", flush=True)
        time.sleep(60)
"""
    )
    with running_host(app(tmp_path, code)) as host:
        host.wait_for_line("tick holds")
        host.kill_worker(host.worker_pids[0])
        host.wait_for_line("Function 'tick' was cut off and is not run again. Worker process")
        host.wait_for_line("tick ran")


# --- Functions that kill --------------------------------------------------------------------------------------


def test_of_many_activities_only_the_one_that_ends_every_worker_fails(tmp_path: Path) -> None:
    slow = str(tmp_path / "slow")
    limit = {"AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "100"}
    with running_host(APP, env=limit, args=["--workers", "2"]) as host:
        status = begin(host, "mixes", [*(["waits_for", slow] for _ in range(40)), ["ends_its_process", 11]])
        host.wait_for_line("takes over")
        (tmp_path / "slow").touch()
        host.wait_for_line("'ends_its_process' is given up", limit_s=60)
        *others, deadly = output(status)
        assert others == ["went on"] * 40
        assert "The worker died 5 times while it ran" in deadly
        assert "ended with exit code 11" in deadly
        assert host.output.count("is given up") == 1


def test_an_orchestrator_and_an_entity_that_end_every_worker_fail(tmp_path: Path) -> None:
    with running_host(APP) as host:
        failed = end(begin(host, "deadly", None))
        assert failed["runtimeStatus"] == "Failed"
        assert "ended with exit code 7" in failed["output"]
        assert "ended with exit code 8" in output(begin(host, "calls_the_entity", ["die", ""]))
        (tmp_path / "go").touch()
        assert output(begin(host, "calls_the_entity", ["add", str(tmp_path / "go")])) == 1


def test_requests_that_kill_their_worker_do_not_fail_durable_work(tmp_path: Path) -> None:
    held = str(tmp_path / "held")
    with running_host(APP) as host:
        status = begin(host, "mixes", [["waits_for", held] for _ in range(10)])
        eventually(lambda: times_begun(Path(held)) == 10)
        for _ in range(4):
            assert call("GET", f"{host.base_url}/api/die").status == 500
        (tmp_path / "held").touch()
        assert output(status) == ["went on"] * 10


# --- The host and the end of its workers ----------------------------------------------------------------------


def test_a_host_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    names = ("blocks_a_thread", "blocks_the_loop")
    host = running_host(APP, args=["--workers", "2"]).start()
    watched = [watch(pid) for pid in host.worker_pids]
    begin(host, "mixes", [[name, str(tmp_path / name)] for name in names])
    eventually(lambda: all(times_begun(tmp_path / name) for name in names))
    host.kill()
    assert [has_ended(each) for each in watched] == [True, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_ends_host_and_workers_in_order(number: int) -> None:
    command = [sys.executable, "-m", "local_host", "start", "--port", "0", "--app-dir", str(APP), "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        told = next(line for line in lines if line.startswith("Worker processes: "))
        watched = [watch(int(pid)) for pid in told.removeprefix("Worker processes: ").split(", ")]
        assert any(line.startswith("Host ready") for line in lines)
        os.killpg(process.pid, number)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert rest == ""
    assert [has_ended(each, 0) for each in watched] == [True, True]


def test_a_host_whose_last_worker_is_gone_for_good_says_so_and_ends_with_code_1(tmp_path: Path) -> None:
    host = running_host(app(tmp_path)).start()
    (tmp_path / "function_app.py").write_text("import os\nprint('dying', flush=True)\nos._exit(4)\n")
    host.kill_worker(host.worker_pids[0])
    host.wait_for_line("No worker process is left to run the app: the local host ends.", limit_s=30)
    with pytest.raises(HostProcessError, match="exit code 1"):
        host.stop()
    assert host.output.count("ended with exit code 4 while it loaded the app") == 3
    assert host.output.count("dying") == 3
    assert "places left: 0" in host.output


def test_an_app_that_ends_its_process_at_import_is_reported_and_ends_the_host(tmp_path: Path) -> None:
    ended = run("start", "--port", "0", "--app-dir", str(app(tmp_path, "import os\nos._exit(4)\n")))
    assert ended.returncode == 1
    assert ended.stderr.count("ended with exit code 4 while it loaded the app") == 4  # each start, and the conclusion
    assert "does not load" in ended.stderr
    assert "Host ready" not in ended.stdout


def test_many_requests_are_served_by_several_workers() -> None:
    with running_host(APP, args=["--workers", "3"]) as host, ThreadPoolExecutor(20) as clients:
        bodies = [os.urandom(50_000) for _ in range(100)]
        answers = list(clients.map(lambda body: call("POST", f"{host.base_url}/api/echo", body), bodies))
        status = begin(host, "mixes", [["pid", None]] * 30)
        assert [answer.body for answer in answers] == bodies
        assert set(output(status)) == set(host.worker_pids)


# --- How many ------------------------------------------------------------------------------------------------


def test_the_number_of_workers_comes_from_the_settings_and_the_option_wins(tmp_path: Path) -> None:
    folder = app(tmp_path)
    (folder / "local.settings.json").write_text(json.dumps({"Values": {"FUNCTIONS_WORKER_PROCESS_COUNT": "2"}}))
    with running_host(folder) as host:
        assert len(host.worker_pids) == 2
    with running_host(folder, args=["--workers", "1"]) as host:
        assert len(host.worker_pids) == 1


@pytest.mark.parametrize("given", ["0", "65", "-1", "two", "1.5", "²"])
def test_a_number_of_workers_that_is_none_is_told(given: str, tmp_path: Path) -> None:
    wanted = "is not a whole number from 1 to 64"
    ended = run("start", "--app-dir", str(app(tmp_path)), f"--workers={given}")
    assert ended.returncode == 2
    assert f"argument --workers: {given!r} {wanted}" in ended.stderr
    with pytest.raises(SettingsError, match=f"FUNCTIONS_WORKER_PROCESS_COUNT cannot be used: .*{wanted}"):
        worker_count({"FUNCTIONS_WORKER_PROCESS_COUNT": given})


def test_without_a_setting_there_is_one_worker() -> None:
    assert [worker_count(env) for env in ({}, {"FUNCTIONS_WORKER_PROCESS_COUNT": " "})] == [1, 1]


# --- What the app sees and says -------------------------------------------------------------------------------


def test_the_app_is_imported_in_the_worker_only(tmp_path: Path) -> None:
    code = HELLO.replace("import azure", "import os\nprint('imported by', os.getpid())\nimport azure", 1)
    with running_host(app(tmp_path, code), env={"PYTHONUNBUFFERED": None}) as host:
        (pid,) = host.worker_pids
        host.wait_for_line(f"^imported by {pid}$")
        assert host.output.count("imported by") == 1
        assert host.pid != pid
