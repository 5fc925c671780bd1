from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.map_reduce import MAX_DOCUMENTS, MapReduceRequest
from tests.shared.contracts.rejection import accepted, changed, rejection

AGENT = {"instructions": "read"}
MINIMAL: dict[str, Any] = {"documents": [{"id": "one", "content": "text"}], "map": AGENT, "reduce": AGENT}


def test_a_minimal_body_works_with_defaults() -> None:
    request = accepted(MapReduceRequest, MINIMAL)

    assert request.map.name == "agent"
    assert request.policy.max_concurrency == 100


@pytest.mark.parametrize("missing", ["map", "reduce"])
def test_both_agents_are_required(missing: str) -> None:
    body = {field: value for field, value in MINIMAL.items() if field != missing}

    assert rejection(MapReduceRequest, body) == [(missing, "Field required")]


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("surprise", 1, "surprise"),
        ("documents.0.surprise", 1, "documents.0.surprise"),
        ("documents.0.content", " ", "documents.0.content"),
        ("documents.0.content", ["text"], "documents.0.content"),
        ("documents.0.id", "a:b", "documents.0.id"),
        ("documents", [], "documents"),
        ("map", "read", "map"),
        ("reduce.instructions", 5, "reduce.agent.instructions"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected_by_its_path(path: str, value: Any, where: str) -> None:
    [(location, _)] = rejection(MapReduceRequest, changed(MINIMAL, path, value))

    assert location == where


def test_there_are_at_most_so_many_documents() -> None:
    documents = [{"id": f"d{number}", "content": "x"} for number in range(MAX_DOCUMENTS + 1)]

    assert len(accepted(MapReduceRequest, {**MINIMAL, "documents": documents[:-1]}).documents) == MAX_DOCUMENTS
    [(_, message)] = rejection(MapReduceRequest, {**MINIMAL, "documents": documents})
    assert f"at most {MAX_DOCUMENTS}" in message


def test_document_ids_must_differ() -> None:
    [(_, message)] = rejection(MapReduceRequest, {**MINIMAL, "documents": MINIMAL["documents"] * 2})

    assert message.endswith("document ids must be unique; repeated: one")


def test_more_successes_than_documents_cannot_be_asked_for() -> None:
    [(_, message)] = rejection(MapReduceRequest, {**MINIMAL, "policy": {"min_successful": 2}})

    assert "only 1 branch;" in message


@pytest.mark.parametrize("given", [{}, {"source": {"container": "logs"}, "documents": MINIMAL["documents"]}])
def test_documents_come_with_the_request_or_from_a_source(given: dict[str, Any]) -> None:
    rest = {field: value for field, value in MINIMAL.items() if field != "documents"}
    reason = "give documents, or a source to read them from, and not both"
    assert rejection(MapReduceRequest, {**rest, **given}) == [("", reason)]


@pytest.mark.parametrize("where", [{}, {"sink": {"container": "results"}}])
def test_a_call_may_read_several_documents_wherever_they_are(where: dict[str, Any]) -> None:
    assert accepted(MapReduceRequest, {**MINIMAL, **where, "batch_size": 100}).batch_size == 100
    [(_, message)] = rejection(MapReduceRequest, {**MINIMAL, **where, "batch_size": 101})
    assert "less than or equal to 100" in message
