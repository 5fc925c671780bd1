from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given

from shared.contracts.branch import AgentReply, BranchError, Usage
from shared.contracts.work import DocumentWork, TextPlace, Work, WorkFailure
from shared.document_results import Answered, Material, failure, line_of, result_in, success
from tests.shared.strategies import JSON_OBJECTS, TEXTS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def work(name: str = "a.txt", **about: Any) -> Work:
    given = DocumentWork(text=TextPlace(container="in", blob=name, etag='"1"'), document=name, **about)
    return Work(name=name, place=given.model_dump(mode="json"))


def material(name: str = "a.txt", text: str = "héllo", **about: Any) -> Material:
    made = work(name, **about)
    return Material(made, DocumentWork.model_validate(made.place), text)


@given(TEXTS | JSON_OBJECTS, TEXTS)
def test_a_result_is_one_line_and_can_be_read_back(output: Any, text: str) -> None:
    answered = Answered(AgentReply(output=output, model="m"), "1.1", 2, "in", NOW)
    result = success(material(text=text), output, Usage(model_calls=1), answered)

    line = line_of(result)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert result_in(line) == result


def test_a_result_says_where_its_text_came_from() -> None:
    answered = Answered(AgentReply(output="x", model="m"), None, 1, "in", NOW)
    result = success(material(blob="a.txt", record=3), "x", Usage(), answered)

    assert result.source.model_dump() == {
        "container": "in",
        "blob": "a.txt",
        "record": 3,
        "etag": '"1"',
        "sha256": "3c48591d8d098a4538f5e013dfcf406e948eac4d3277b10bf614e295d6068179",
        "bytes": 6,
    }


def test_what_a_result_has_not_is_left_out_but_not_what_its_output_has_not() -> None:
    answered = Answered(AgentReply(output={"a": None}, model="m"), None, 1, None, NOW)

    line = line_of(success(material(), {"a": None}, Usage(), answered)).decode()

    assert '"output":{"a":null}' in line
    assert '"part"' not in line
    assert '"error"' not in line


def test_a_failure_says_why_and_after_how_many_calls() -> None:
    error = BranchError(code="refused", message="no", retriable=False)
    result = failure(work(), WorkFailure(name="a.txt", status="failed", error=error, calls=3), "in", NOW)

    assert (result.status, result.error, result.attempt, result.output) == ("failed", error, 3, None)
    assert not result.succeeded
    assert result_in(line_of(result)) == result
