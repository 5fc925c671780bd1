"""The durable management API of a running host."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from local_host.management_requests import Query
from local_host.testing import running_host
from tests.local_host.calls import Answer, call, eventually

APP = Path(__file__).parent / "apps_http" / "patterns"


@pytest.fixture(scope="module")
def host() -> Iterator[running_host]:
    with running_host(APP) as host:
        yield host


@pytest.fixture
def url(host) -> str:
    return host.base_url + "/runtime/webhooks/durabletask"


def begin(url: str, name: str, instance_id: str, data: object = None) -> dict[str, str]:
    answer = call("POST", f"{url}/orchestrators/{name}/{quote(instance_id, safe='')}", data)
    assert answer.status == 202
    return answer.json()


def until(links: dict[str, str], *statuses: str) -> dict:
    def look() -> dict | None:
        answer = call("GET", links["statusQueryGetUri"])
        return answer.json() if answer.body and answer.json()["runtimeStatus"] in statuses else None

    return eventually(look)


def post(links: dict[str, str], uri: str, data: object = None, **values: str) -> Answer:
    address = links[uri]
    for name, value in values.items():
        address = address.replace(f"{{{name}}}", quote(value))
    return call("POST", address, data)


def test_a_started_instance_answers_with_every_management_url(host, url):
    answer = call("POST", f"{url}/ORCHESTRATORS/Approval", 60)
    links = answer.json()
    assert answer.headers["Location"] == links["statusQueryGetUri"]
    assert set(links) == {
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "rewindPostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    }
    assert all(address.startswith(f"{url}/instances/{links['id']}") for key, address in links.items() if key != "id")
    assert "taskHub=PatternsHub" in links["statusQueryGetUri"]
    post(links, "terminatePostUri", text="done")


def test_a_running_instance_is_202_with_its_location(url):
    links = begin(url, "approval", "running", 60)
    until(links, "Running")
    answer = call("GET", links["statusQueryGetUri"])
    assert (answer.status, answer.headers["Location"]) == (202, links["statusQueryGetUri"])
    assert answer.headers["Retry-After"]
    assert answer.json().keys() >= {"name", "instanceId", "input", "customStatus", "output", "createdTime"}
    assert post(links, "terminatePostUri", text="enough").status == 202
    assert until(links, "Terminated")["output"] == "enough"
    for uri in ("terminatePostUri", "suspendPostUri", "resumePostUri", "sendEventPostUri"):
        refused = post(links, uri, 1)
        assert (refused.status, refused.body) == (410, b""), uri
    assert post(links, "rewindPostUri").status == 412


@pytest.mark.parametrize("operation", ["terminate", "suspend", "resume", "rewind", "raiseEvent/x"])
def test_an_unknown_instance_is_404(url, operation):
    refused = call("POST", f"{url}/instances/nosuch/{operation}", 1)
    assert (refused.status, refused.body) == (404, b"")
    assert call("GET", f"{url}/instances/nosuch").status == 404
    assert call("DELETE", f"{url}/instances/nosuch").status == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", "instances"), ("POST", "instances/x/dance"), ("PUT", "entities/a/b")]
)
def test_what_is_no_operation_is_404(url, method, path):
    assert call(method, f"{url}/{path}").status == 404


def test_suspend_holds_events_back_until_resume(url):
    links = begin(url, "approval", "suspended", 60)
    until(links, "Running")
    assert post(links, "suspendPostUri", text="wait").status == 202
    until(links, "Suspended")
    assert post(links, "sendEventPostUri", {"ok": True}, eventName="APPROVAL").status == 202
    assert call("GET", links["statusQueryGetUri"]).json()["runtimeStatus"] == "Suspended"
    assert post(links, "resumePostUri", text="go on").status == 202
    assert until(links, "Completed")["output"] == {"ok": True}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"{", "application/json", 400), (b"NaN", "application/json", 400), (b"1", "text/plain", 400)],
)
def test_an_event_must_be_json(url, body, content_type, status):
    links = begin(url, "approval", "-".join(("events", str(len(body)), content_type[:4], str(body[0]))), 60)
    address = links["sendEventPostUri"].replace("{eventName}", "x")
    answer = call("POST", address, body, {"Content-Type": content_type})
    assert answer.status == status
    assert "JSON" in answer.text or "json" in answer.text
    post(links, "terminatePostUri")


def test_a_failed_instance_can_be_told_by_status_code_and_rewound(url):
    links = begin(url, "failing", "id with / slash")
    assert links["id"] == "id with / slash"
    failed = until(links, "Failed")
    assert "no such thing" in failed["output"]
    address = links["statusQueryGetUri"]
    assert call("GET", address).status == 200
    assert call("GET", address + "&returnInternalServerErrorOnFailure=true").status == 500
    assert post(links, "rewindPostUri", text="mended").status == 202
    assert until(links, "Completed")["output"] == "mended"
    again = post(links, "rewindPostUri", text="again")
    assert again.status == 412
    assert "not in a failed state" in again.json()["message"]


def test_times_are_whole_seconds_in_utc(url):
    links = begin(url, "chaining", "timed")
    until(links, "Completed")
    listed = call("GET", f"{url}/instances?instanceIdPrefix=timed").json()
    for status in (call("GET", links["statusQueryGetUri"]).json(), *listed):
        for name in ("createdTime", "lastUpdatedTime"):
            moment = datetime.strptime(status[name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_history_and_input_are_shown_as_asked(url):
    links = begin(url, "fan_out", "shown", [2, 3])
    until(links, "Completed")
    address = links["statusQueryGetUri"]
    assert "historyEvents" not in call("GET", address).json()
    assert call("GET", address + "&showInput=false").json()["input"] is None
    events = call("GET", address + "&showHistory=true&showHistoryOutput=true").json()["historyEvents"]
    done = [event for event in events if event["EventType"] == "TaskCompleted"]
    assert [(event["FunctionName"], event["Result"]) for event in done] == [("square", 4), ("square", 9)]
    assert all("Result" not in e for e in call("GET", address + "&showHistory=true").json()["historyEvents"])


def test_restart_runs_the_same_input_under_a_new_or_the_same_id(url):
    links = begin(url, "fan_out", "again", [4])
    until(links, "Completed")
    fresh = post(links, "restartPostUri")
    assert fresh.status == 202
    assert fresh.json()["id"] != "again"
    assert until(fresh.json(), "Completed")["output"]["total"] == 16
    same = call("POST", links["restartPostUri"] + "&restartWithNewInstanceId=false")
    assert same.json()["id"] == "again"
    assert until(links, "Completed")["input"] == [4]


def test_what_runs_or_is_unknown_cannot_be_restarted(url):
    links = begin(url, "approval", "not again", 60)
    until(links, "Running")
    assert post(links, "restartPostUri").status == 409
    post(links, "terminatePostUri")
    unknown = call("POST", f"{url}/instances/nosuch/restart")
    assert unknown.status == 400
    assert "nosuch" in unknown.json()["message"]


def test_instances_are_listed_by_filter_page_by_page(url):
    for number in range(3):
        until(begin(url, "chaining", f"page-{number}"), "Completed")
    between = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for number in range(3, 5):
        until(begin(url, "chaining", f"page-{number}"), "Completed")
    waiting = begin(url, "approval", "page-waiting", 60)
    until(waiting, "Running")
    address = f"{url}/instances?instanceIdPrefix=page-&runtimeStatus=completed,Failed&top=2"
    pages: list[list[str]] = []
    token: str | None = None
    while len(pages) == 0 or token:
        answer = call("GET", address, headers={"x-ms-continuation-token": token} if token else None)
        pages.append([status["instanceId"] for status in answer.json()])
        token = answer.headers["x-ms-continuation-token"]
        assert token is not None  # the last page has the header too, empty
    assert pages == [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]]
    running = call("GET", f"{url}/instances?instanceIdPrefix=page-&RuntimeStatus=Running&runtimeStatus=Pending")
    assert [status["instanceId"] for status in running.json()] == ["page-waiting"]
    later = call("GET", f"{url}/instances?instanceIdPrefix=page-&createdTimeFrom={between}&showInput=false").json()
    assert [status["instanceId"] for status in later] == ["page-3", "page-4", "page-waiting"]
    earlier = call("GET", f"{url}/instances?instanceIdPrefix=page-&createdTimeTo={between}").json()
    assert len(earlier) == 3
    post(waiting, "terminatePostUri")


def test_an_id_with_a_plus_is_itself_in_a_path_and_escaped_in_a_query(url):
    links = begin(url, "chaining", "plus:log+2")
    assert until(links, "Completed")["instanceId"] == "plus:log+2"
    for path in ("plus:log+2", quote("plus:log+2", safe="")):
        assert call("GET", f"{url}/instances/{path}").json()["instanceId"] == "plus:log+2"
    found = call("GET", f"{url}/instances?instanceIdPrefix={quote('plus:log+', safe='')}").json()
    assert [status["instanceId"] for status in found] == ["plus:log+2"]


@pytest.mark.parametrize(
    "query",
    ["top=none", "top=0", "top=9999999999", "runtimeStatus=Sleeping", "createdTimeFrom=yesterday", "showInput=1"],
)
def test_a_query_that_cannot_be_read_counts_as_absent(url, query):
    until(begin(url, "chaining", "whatever is asked", 7), "Completed")
    listed = call("GET", f"{url}/instances?instanceIdPrefix=whatever&{query}")
    assert listed.status == 200
    assert [(status["instanceId"], status["input"]) for status in listed.json()] == [("whatever is asked", 7)]
    assert call("GET", f"{url}/entities?top=x&fetchState=x&lastOperationTimeFrom=x").status == 200
    assert call("DELETE", f"{url}/instances?createdTimeFrom=x&runtimeStatus=Completed").status == 400


@pytest.mark.parametrize("status", ["Canceled", "canceled,Sleeping"])
def test_no_instance_is_ever_in_a_status_that_the_engine_lacks(url, status):
    until(begin(url, "chaining", "never canceled"), "Completed")
    assert call("GET", f"{url}/instances?runtimeStatus={status}").json() == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T05:04:05 02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-1-2", datetime(2026, 1, 2, tzinfo=UTC)),
        ("01/02/2026", datetime(2026, 1, 2, tzinfo=UTC)),
        ("1/2/2026 3:04:05 PM", datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)),
        ("Fri, 02 Jan 2026 03:04:05 GMT", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("13/13/2026", None),
        ("soon", None),
        ("", None),
    ],
)
def test_times_are_read_in_the_usual_forms(text, moment):
    read = Query(f"createdTimeFrom={quote(text)}").moment("CREATEDTIMEFROM")
    assert read == moment
    assert read is None or read.utcoffset() is not None


def test_instances_are_purged_by_id_and_by_filter(url):
    links = begin(url, "approval", "purge-1", 60)
    until(links, "Running")
    assert call("DELETE", links["purgeHistoryDeleteUri"]).status == 412
    post(links, "sendEventPostUri", 1, eventName="Approval")
    until(links, "Completed")
    purged = call("DELETE", links["purgeHistoryDeleteUri"])
    assert (purged.status, purged.json()) == (200, {"instancesDeleted": 1})
    assert call("GET", links["statusQueryGetUri"]).status == 404

    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    until(begin(url, "chaining", "purge-2"), "Completed")
    window = f"createdTimeFrom={before}&createdTimeTo=2999-01-01T00:00:00Z"
    assert call("DELETE", f"{url}/instances?{window}&runtimeStatus=Failed").status == 404
    by_filter = call("DELETE", f"{url}/instances?{window}&runtimeStatus=Completed")
    assert (by_filter.status, by_filter.json()) == (200, {"instancesDeleted": 1})
    assert call("DELETE", f"{url}/instances?runtimeStatus=Completed").status == 400


def test_a_start_can_wait_for_the_result(url):
    assert call("POST", f"{url}/orchestrators/fan_out?timeout=10&pollingInterval=1", [1, 2]).json()["total"] == 5
    failed = call("POST", f"{url}/orchestrators/failing?timeout=10&returnInternalServerErrorOnFailure=true")
    assert (failed.status, failed.json()["runtimeStatus"]) == (500, "Failed")
    late = call("POST", f"{url}/orchestrators/approval?timeout=0.05", 60)
    assert late.status == 202
    post(late.json(), "terminatePostUri")


def test_an_id_in_use_is_409_and_free_again_when_its_instance_has_ended(url):
    links = begin(url, "approval", "taken", 60)
    assert call("POST", f"{url}/orchestrators/approval/taken", 60).status == 409
    post(links, "terminatePostUri")
    until(links, "Terminated")
    assert begin(url, "chaining", "taken")["id"] == "taken"


def test_an_unknown_orchestrator_is_400_and_names_those_there_are(url):
    answer = call("POST", f"{url}/orchestrators/nosuch")
    assert answer.status == 400
    assert "'nosuch'" in answer.json()["message"]
    assert "fan_out" in answer.json()["message"]
    assert call("POST", f"{url}/orchestrators/chaining", b"{").status == 400


def test_entities_are_signalled_read_listed_and_deleted(url):
    counter = f"{url}/entities/Counter/mine"
    assert call("GET", counter).status == 404
    assert call("POST", counter + "?op=add", 5).status == 202
    assert eventually(lambda: (a := call("GET", counter)).status == 200 and a.json()) == 5
    listed = call("GET", f"{url}/entities/COUNTER?fetchState=true").json()
    assert {"entityId": {"name": "counter", "key": "mine"}, "state": 5}.items() <= next(
        e for e in listed if e["entityId"]["key"] == "mine"
    ).items()
    assert "state" not in call("GET", f"{url}/entities").json()[0]
    assert call("DELETE", counter).status == 202
    eventually(lambda: call("GET", counter).status == 404)
    assert call("POST", f"{url}/entities/Counter/a@b?op=add", 1).status == 400
