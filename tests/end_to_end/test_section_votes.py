"""A section that is decided by a vote, on the whole app."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.decision import CAUTION
from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, verdict
from tests.end_to_end.votes import YES_NO, juror, jury, scores, waves

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECTIONS: list[JSON] = [
    {"name": "structure", "instructions": "Summarise the structure."},
    {"name": "content", "instructions": "Summarise the content."},
]


def review(voters: list[JSON], **fields: Any) -> JSON:
    """Two plain sections and a vote on yes or no in waves of two, whose ties go to a judge."""
    plan = {"jury": voters, "min": 2, "wave": 2}
    vote = {"question": "Publish?", "voters": plan, "ballot": YES_NO, "rule": "plurality", "tie_break": "judge"}
    text = "The checkout timed out. The database was slow. The pool had ten connections."
    return {"input": text, "sections": [*SECTIONS, {"name": "verdict", "vote": vote}], **fields}


def names(*voters: str) -> list[str]:
    return ["structure", "content", *(f"verdict:{voter}" for voter in voters)]


async def test_a_vote_in_waves_whose_tie_a_judge_breaks_decides_a_section(chorus: Chorus) -> None:
    before = chorus.model.calls
    result = await chorus.run("sectioning", review(jury("yes", "no", "no", "yes")))

    assert verdict(result) == ("succeeded", "all_completed")
    assert list(outcomes_of(result)) == names("v1", "v2", "v3", "v4")
    vote = result["output"]["votes"]["verdict"]
    assert (waves(vote), scores(vote), vote["leaders"]) == ([2, 2], [("yes", 2), ("no", 2)], ["yes", "no"])
    assert [call["name"] for call in result["judges"]] == ["~judge-1:verdict", "~judge-2:verdict"]
    assert (result["aggregation"]["name"], result["missing"]) == ("~synthesis", [])
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 2 + 4 + 2 + 1
    _, view, _ = await chorus.get(f"runs/{result['id']}/view")
    assert (view["progress"]["total"], view["progress"]["succeeded"]) == (6, 6)


@pytest.mark.parametrize("aggregation", ["concatenate", "merge"])
async def test_the_decision_is_part_of_the_answer(chorus: Chorus, aggregation: str) -> None:
    result = await chorus.run("sectioning", review(jury("yes", "yes", "yes"), aggregation=aggregation))

    content = result["output"]["content"]
    if aggregation == "merge":
        assert list(content) == ["structure", "content", "verdict"]
        assert (content["verdict"]["outcome"], content["verdict"]["decision"]) == ("decided", "yes")
    else:
        assert "## verdict\n\nPut to the vote: Publish?\nDecision: yes (by plurality" in content
        assert CAUTION in content
    assert result["output"]["votes"]["verdict"]["stop"]["saved"] == 1


async def test_a_cancel_in_the_second_wave_is_gone_on_from_by_a_redrive(chorus: Chorus) -> None:
    late = [juror(f"late{number}", "no", more=f"[[fault:hang*1]] nested {number}") for number in range(2)]
    run_id = await chorus.start("sectioning", review([*jury("yes", "no"), *late]))
    live = await chorus.until(run_id, lambda view: view["progress"]["total"] == 6 and view["progress"]["running"] == 2)
    assert [branch["name"] for branch in live["branches"]][-2:] == ["verdict:late0", "verdict:late1"]
    await chorus.model_calls(lambda model: model.statistics.active == 2)
    await chorus.delete(f"runs/{run_id}")
    first = await chorus.result(run_id)

    assert verdict(first) == ("cancelled", "cancelled")
    assert (first["missing"], first["output"]) == (["verdict:late0", "verdict:late1"], None)
    await chorus.model_calls(lambda model: model.statistics.active == 0)

    before = chorus.model.calls
    status, accepted, _ = await chorus.post(f"runs/{run_id}/redrive", None)
    assert status == 202
    second = await chorus.result(accepted["id"])

    assert verdict(second) == ("succeeded", "all_completed")
    assert second["reused"] == names("v1", "v2")
    assert [outcomes_of(second)[name] for name in second["reused"]] == first["outcomes"][:4]
    assert second["output"]["votes"]["verdict"]["decision"] == "no"
    assert second["usage"]["model_calls"] == chorus.model.calls - before == 2 + 1


async def test_a_run_that_died_tells_of_the_voters_that_were_asked(chorus: Chorus) -> None:
    late = [juror(f"late{number}", "no", more=f"[[fault:hang]] dead {number}") for number in range(4)]
    run_id = await chorus.start("sectioning", review([*jury("yes", "no"), *late]))
    await chorus.until(run_id, lambda view: view["progress"]["total"] > 4 and view["progress"]["running"] > 0)
    await chorus.terminate(run_id)
    result = await chorus.result(run_id)

    assert (result["status"], result["error"]["code"]) == ("cancelled", "terminated")
    assert list(outcomes_of(result)) == names("v1", "v2", "late0", "late1")
    assert [outcome["status"] for outcome in result["outcomes"][:4]] == ["succeeded"] * 4


async def test_a_vote_that_makes_no_sense_is_told_at_its_field(chorus: Chorus) -> None:
    request = review(jury("yes", "no"))
    request["sections"][2]["vote"]["rule"] = "median"
    status, problem, _ = await chorus.post("sectioning", request)

    assert (status, problem["errors"][0]["path"]) == (400, "sections[2].vote.rule")


async def test_an_estimate_counts_voters_and_judges(chorus: Chorus) -> None:
    status, estimate, _ = await chorus.post("sectioning/estimate", review(jury("yes", "no", "no", "yes")))

    assert (status, estimate["branches"]) == (200, 6)
    assert estimate["model_calls"]["at_least"] == 2 + 2 + 1
    assert estimate["model_calls"]["expected"] == 2 + 4 + 1
