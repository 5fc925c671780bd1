"""Apps written for Core Tools, unchanged, driven over HTTP."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_host.testing import running_host
from tests.local_host.calls import call, eventually

APPS = Path(__file__).parent / "apps_http"


@pytest.fixture(scope="module")
def web() -> Iterator[running_host]:
    with running_host(APPS / "web", env={"OVERRIDDEN": "from the environment"}) as host:
        yield host


@pytest.fixture(scope="module")
def patterns() -> Iterator[running_host]:
    with running_host(APPS / "patterns") as host:
        yield host


def api(host: running_host, path: str) -> str:
    return f"{host.base_url}/v1/api/{path}"


# --- HTTP functions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", "orders/special", "special"),
        ("GET", "Orders/SPECIAL/", "special"),
        ("GET", "orders/5", "read 5"),
        ("PUT", "orders/5", "PUT 5"),
        ("DELETE", "orders/5", "DELETE 5"),
        ("GET", "orders/five", "named five"),
        ("GET", "files/a%20b/c", "path=a b/c"),
        ("GET", "files", "path=None"),
        ("PATCH", "files/x", "path=x"),
        ("GET", "named_by_its_function", "no route given"),
    ],
)
def test_a_request_reaches_the_function_of_its_route_and_method(web, method, path, text):
    answer = call(method, api(web, path))
    assert (answer.status, answer.text) == (200, text)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "nothing"), ("POST", "orders/5"), ("GET", "bad/1"), ("GET", "echo")]
)
def test_an_unknown_route_or_method_is_an_empty_404(web, method, path):
    answer = call(method, api(web, path))
    assert (answer.status, answer.body) == (404, b"")


def test_head_answers_as_get_without_the_body(web):
    answer = call("HEAD", api(web, "orders/5"))
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "6")


def test_a_binary_body_comes_back_byte_for_byte(web):
    content = bytes(range(256)) * 8192
    answer = call("POST", api(web, "echo"), content, {"Content-Encoding": "gzip"})
    assert answer.body == content
    assert (answer.headers["x-length"], answer.headers["content-type"]) == (
        str(len(content)),
        "application/octet-stream",
    )


def test_the_function_sees_the_request_as_the_client_sent_it(web):
    url = api(web, "inspect?a=1&b=%C3%A9&A=2&empty=")
    seen = call("GET", url, headers={"X-Tag": "one", "Host": "my.host:8"}).json()
    assert seen["url"] == url.replace(web.base_url, "http://my.host:8")
    assert seen["params"] == {"a": "1,2", "b": "é", "empty": ""}
    assert (seen["method"], seen["tag"], seen["function"]) == ("GET", "one", "inspect")


def test_settings_come_from_the_file_and_the_environment_wins(web):
    seen = call("GET", api(web, "inspect")).json()
    assert seen["settings"] == ["hello from the settings", "from the environment"]
    assert seen["cwd"] == str(APPS / "web")


def test_every_cookie_is_set(web):
    answer = call("GET", api(web, "cookies"))
    assert answer.status == 201
    assert [c.split(";")[0] for c in answer.headers.get_all("Set-Cookie") or []] == ["a=1", "b=2"]


def test_a_text_answer_is_utf8(web):
    answer = call("GET", api(web, "utf8?what=tea"))
    assert (answer.text, answer.headers["Content-Type"]) == ("grüße", "text/plain; charset=utf-8")
    web.wait_for_line(r"WARNING an order of tea")


def test_a_failing_function_is_an_empty_500_and_one_log_record(web):
    answer = call("GET", api(web, "boom"))
    assert (answer.status, answer.body) == (500, b"")
    web.wait_for_line("ValueError: the reason of the failure")
    assert web.output.count("the reason of the failure") == 2  # the source line and the message, once each


def test_a_function_that_ends_the_process_ends_only_itself(web):
    assert call("GET", api(web, "exit")).status == 500
    assert call("GET", api(web, "orders/5")).status == 200


def test_a_function_that_blocks_its_loop_does_not_block_the_host(web, tmp_path):
    release = tmp_path / "release"
    with socket.create_connection(("127.0.0.1", int(web.base_url.rpartition(":")[2])), timeout=10) as client:
        client.sendall(f"GET /v1/api/blocking?until={release} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        web.wait_for_line("blocking began")
        assert call("GET", web.base_url + "/admin/host/status").json()["state"] == "Running"
        release.touch()
        assert b"200 OK" in client.recv(1000)


def test_a_client_that_goes_away_neither_ends_the_function_nor_is_an_error(web):
    with socket.create_connection(("127.0.0.1", int(web.base_url.rpartition(":")[2]))) as client:
        client.sendall(b"GET /v1/api/slow?seconds=0.2 HTTP/1.1\r\nHost: x\r\n\r\n")
        web.wait_for_line("slow began")
    web.wait_for_line("slow ended")
    with socket.create_connection(("127.0.0.1", int(web.base_url.rpartition(":")[2]))) as client:
        client.sendall(b"POST /v1/api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly a part")
    assert call("GET", api(web, "orders/1")).status == 200
    assert "could not be answered" not in web.output


def test_a_request_that_is_no_http_is_refused_quietly(web):
    with socket.create_connection(("127.0.0.1", int(web.base_url.rpartition(":")[2])), timeout=10) as client:
        client.sendall("GET /v1/api/orders/é HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.0 400")
    assert call("GET", api(web, "orders/1")).status == 200
    assert "InvalidURLError" not in web.output


def test_a_body_over_the_limit_of_functions_is_413(web):
    port = int(web.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"POST /v1/api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {101 << 20}\r\n\r\n".encode())
        piece = bytes(1 << 20)
        with contextlib.suppress(ConnectionError):
            for _ in range(101):
                client.sendall(piece)
        assert b" 413 " in client.recv(1000)


def test_a_browser_of_an_allowed_origin_may_read_the_answers(web):
    allowed = call("GET", api(web, "utf8"), headers={"Origin": "http://localhost:3000"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert allowed.headers["Access-Control-Allow-Credentials"] == "true"
    assert (
        call("GET", api(web, "utf8"), headers={"Origin": "http://evil"}).headers["Access-Control-Allow-Origin"] is None
    )
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-tag"}
    preflight = call("OPTIONS", api(web, "echo"), headers={"Origin": "https://example.org", **asks})
    assert (preflight.status, preflight.headers["Access-Control-Allow-Headers"]) == (204, "x-tag")


# --- The host around them -------------------------------------------------------------------------------------


def test_the_functions_are_listed_as_core_tools_lists_them(web):
    port = web.base_url.rpartition(":")[2]
    for line in (
        "Functions:",
        f"        change_order: [PUT,DELETE] http://localhost:{port}/v1/api/orders/{{id:int}}",
        f"        inspect: http://localhost:{port}/v1/api/inspect",
        "        tick: timerTrigger",
        "        from_queue: queueTrigger (not run by the local host)",
    ):
        assert line in web.lines


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bad_route", "the constraint 'nosuch' does not exist"),
        ("read_blob", "its input binding 'blob' is of the type 'blob'"),
        ("unreadable", "The schedule 'every day'"),
    ],
)
def test_a_function_that_cannot_run_is_named_with_the_reason_and_the_others_run(web, name, reason):
    web.wait_for_line(f"The function '{name}' is in error: .*{reason}")
    errors = call("GET", web.base_url + "/admin/host/status").json()["errors"]
    assert any(error.startswith(f"{name}: ") and reason in error for error in errors)


def test_a_timer_runs_at_start_and_on_its_schedule(web):
    web.wait_for_line("tick 0 past_due=False")
    web.wait_for_line("tick 1 past_due=False")


def test_functions_without_http_run_by_hand(web):
    admin = web.base_url + "/admin/functions/"
    assert call("POST", admin + "Yearly", {"input": ""}).status == 202
    web.wait_for_line("yearly ran")
    assert call("POST", admin + "from_queue", {"input": "hello queue"}).status == 202
    web.wait_for_line("queue message hello queue")
    assert call("POST", admin + "nosuch", {}).status == 404
    assert call("POST", admin + "yearly", b"{").status == 400


def test_an_output_binding_that_is_not_there_is_told_once(web):
    assert [call("GET", api(web, "enqueue")).text for _ in range(2)] == ["queued", "queued"]
    assert web.output.count("The output binding 'msg' (queue) of the function 'enqueue'") == 1


def test_the_root_says_that_the_app_runs(web):
    answer = call("GET", web.base_url + "/")
    assert answer.status == 200
    assert "up and running" in answer.text


def test_the_first_answer_comes_within_three_seconds():
    began = time.monotonic()
    with running_host(APPS / "patterns") as host:
        assert call("GET", host.base_url + "/admin/host/status").status == 200
        assert time.monotonic() - began < 3.0


@pytest.mark.parametrize(("method", "path", "body"), [("GET", "x/y%20z?q=1", b""), ("POST", "", b"body")])
def test_an_asgi_app_serves_every_path(method, path, body):
    with running_host(APPS / "asgi") as host:
        answer = call(method, f"{host.base_url}/{path}", body)
    assert answer.status == 203
    seen = answer.json()
    assert (seen["method"], seen["body"]) == (method, len(body))
    assert seen["path"].startswith("/x/y") if path else seen["path"] == "/"
    assert seen["query"] == ("q=1" if path else "")


def test_a_wsgi_app_serves_every_path():
    with running_host(APPS / "wsgi") as host:
        answer = call("POST", host.base_url + "/some/path", b"body")
    assert (answer.status, answer.text, answer.headers["X-Path"]) == (202, "POST body", "/some/path")


# --- Durable patterns -----------------------------------------------------------------------------------------


def start(host: running_host, name: str, data: object = None, query: str = "") -> dict[str, str]:
    answer = call("POST", f"{host.base_url}/api/orchestrators/{name}{query}", data)
    assert answer.status == 202
    assert answer.headers["Location"] == answer.json()["statusQueryGetUri"]
    return answer.json()


def ended(links: dict[str, str]) -> dict:
    return eventually(lambda: (a := call("GET", links["statusQueryGetUri"])).status == 200 and a.json())


@pytest.mark.parametrize(
    ("name", "data", "output"),
    [
        ("chaining", None, 3),
        ("fan_out", [1, 2, 3], {"total": 14, "child": 3}),
        ("approval", 0.05, "escalated"),
        ("monitor", None, 3),
        ("retrying", None, 3),
        ("count_up", {"key": "a"}, 3),
        ("transfer", None, 1),
    ],
)
def test_a_pattern_of_the_documentation_completes(patterns, name, data, output):
    status = ended(start(patterns, name, data))
    assert (status["runtimeStatus"], status["output"]) == ("Completed", output)


def test_custom_status_and_input_are_in_the_status(patterns):
    status = ended(start(patterns, "chaining", {"x": 1}))
    assert (status["input"], status["customStatus"]) == ({"x": 1}, {"half": 2})


def test_an_event_ends_the_wait_of_a_human_interaction(patterns):
    links = start(patterns, "approval", 60)
    sent = call("POST", links["sendEventPostUri"].replace("{eventName}", "Approval"), {"by": "Ann"})
    assert sent.status == 202
    assert ended(links)["output"] == {"by": "Ann"}


def test_types_cross_between_orchestrator_and_activity_and_activities_have_clients(patterns):
    links = start(patterns, "ordering", query="?id=order-1")
    output = ended(links)["output"]
    assert output == {"item": "TEA", "quantity": 3, "nothing": None, "started": "order-1-other"}
    other = links["statusQueryGetUri"].replace("order-1", "order-1-other")
    assert ended({"statusQueryGetUri": other})["output"] == 3


def test_a_durable_http_call_polls_until_the_job_is_done(patterns):
    status = ended(start(patterns, "calling", patterns.base_url + "/api/jobs"))
    assert status["output"] == {"status": 200, "content": "3"}


def test_a_failure_names_the_error_and_its_place(patterns):
    links = start(patterns, "failing", query="?id=failing-1")
    status = ended(links)
    assert status["runtimeStatus"] == "Failed"
    assert "no such thing as 'failing-1'" in status["output"]
    events = call("GET", links["statusQueryGetUri"] + "&showHistory=true").json()["historyEvents"]
    failed = next(event for event in events if event["EventType"] == "TaskFailed")["FailureDetails"]
    assert failed["ErrorType"] == "LookupError"
    assert "in mended" in failed["StackTrace"]


def test_the_client_of_version_1_works_in_http_functions(patterns):
    waited = call("POST", patterns.base_url + "/api/wait/chaining", {})
    assert (waited.status, waited.json()) == (200, 3)
    start(patterns, "chaining", query="?id=v1")
    status = eventually(
        lambda: (s := call("GET", patterns.base_url + "/api/status/v1").json())["runtimeStatus"] == "Completed" and s
    )
    assert status["output"] == 3
    assert call("GET", patterns.base_url + "/api/status/nosuch").status == 404


# --- The style of the 2.x SDK ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def native() -> Iterator[running_host]:
    with running_host(APPS / "native") as host:
        yield host


def test_entity_classes_answer_asynchronous_and_synchronous_clients(native):
    change = {"key": "shared", "amount": 2}
    assert call("POST", native.base_url + "/api/start/update_counter", change).json() == 2
    assert call("POST", native.base_url + "/api/sync/update_counter", change).json() == 4


def test_two_argument_orchestrators_run(native):
    assert call("POST", native.base_url + "/api/start/race", 0.02).json() == [False, ["A", "B"]]


def test_a_schedule_fires_again_and_again_until_it_is_deleted(native):
    schedule = native.base_url + "/api/schedules/every-second"
    assert call("POST", schedule, {}).status == 201
    ticks = native.base_url + "/runtime/webhooks/durabletask/entities/counter/every-second"
    eventually(lambda: (answer := call("GET", ticks)).status == 200 and answer.json() >= 2)
    assert call("DELETE", schedule).json() is True


def test_histories_are_exported(native):
    call("POST", native.base_url + "/api/start/race", 0)
    assert call("POST", native.base_url + "/api/export", {}).json() == "COMPLETED"
    native.wait_for_line("exported .* to histories: True bytes")
