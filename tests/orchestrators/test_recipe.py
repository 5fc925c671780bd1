"""A run that a recipe started says so in its result, however it ends."""

from __future__ import annotations

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from orchestrators.sectioning import sectioning
from orchestrators.voting import voting
from tests.orchestrators.fake_context import JSON, Drive, FakeContext, Orchestrator
from tests.orchestrators.given import documents_request, run_input, sections_request, told_to_stop

STORED = {
    "source": {"container": "docs"},
    "sink": {"container": "results"},
    "map": {"instructions": "Map."},
    "reduce": {"instructions": "Reduce."},
}
REQUESTS: list[tuple[Orchestrator, JSON]] = [
    (sectioning, sections_request("a")),
    (voting, {"question": "Is it safe?"}),
    (map_reduce, documents_request(1)),
    (map_reduce, STORED),
]


def cancelled(orchestrator: Orchestrator, given: JSON) -> Drive:
    """A run that was cancelled at once."""
    drive = Drive(orchestrator, FakeContext(given))
    drive.raise_event(CANCEL_EVENT)
    for call in drive.running:
        drive.complete(call, told_to_stop(call.branch))
    drive.pass_time(3_600)
    return drive


@pytest.mark.parametrize(("orchestrator", "request_"), REQUESTS)
def test_the_result_names_the_recipe(orchestrator: Orchestrator, request_: JSON) -> None:
    assert cancelled(orchestrator, {**run_input(request_), "recipe": "my-recipe"}).ended["recipe"] == "my-recipe"
    assert "recipe" not in cancelled(orchestrator, run_input(request_)).ended


@pytest.mark.parametrize(("orchestrator", "request_"), REQUESTS)
def test_who_lists_the_runs_is_told_of_recipe_and_end_without_the_result(
    orchestrator: Orchestrator, request_: JSON
) -> None:
    drive = cancelled(orchestrator, {**run_input(request_), "recipe": "my-recipe"})

    assert {status["recipe"] for status in drive.context.statuses} == {"my-recipe"}
    assert len(drive.context.statuses) > 1
    assert drive.context.statuses[-1] == {
        "status": "cancelled", "completion_reason": "cancelled", "recipe": "my-recipe",
    }  # fmt: skip
