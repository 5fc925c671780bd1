"""The sections of a run: a vote in one goes on as it would by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.sections import Sections
from shared.voting.counting import Counting
from shared.voting.decision import voting_output
from shared.voting.polling import Polling
from tests.shared.contracts.rejection import accepted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YES_NO = {"type": "choice", "options": ["yes", "no"]}
FAILS = "fails"
PLAIN = {"name": "plain", "instructions": "judge"}

RULES = ["plurality", "majority", "supermajority", "unanimous", {"type": "veto", "answer": "no"}]
STOPS = ["decided", "confident"]
ANSWERS = st.lists(st.sampled_from(["yes", "no", None, FAILS]), min_size=1, max_size=9)
VOTES = st.fixed_dictionaries(
    {"rule": st.sampled_from(RULES), "stop": st.sampled_from(STOPS), "wave": st.integers(1, 5)}
)


def vote_of(drawn: dict[str, Any], voters: int) -> dict[str, Any]:
    plan = {"max": voters, "wave": drawn["wave"]}
    return {"question": "Publish?", "ballot": YES_NO, "voters": plan, "rule": drawn["rule"], "stop": drawn["stop"]}


def outcome(name: str, answer: str | None) -> BranchOutcome:
    output = {"reasoning": f"because {answer}", "evidence": [], "answer": answer, "confidence": 0.5}
    told: dict[str, Any] = {"status": "failed"} if answer == FAILS else {"status": "succeeded", "output": output}
    return BranchOutcome(name=name, attempts=1, started_at=NOW, ended_at=NOW, **told)


def asked(
    next_wave: Callable[[Sequence[BranchOutcome]], Sequence[Branch]], answer_of: Callable[[str], str | None]
) -> tuple[list[Branch], list[BranchOutcome]]:
    """The branches that are asked one wave after the other, and their outcomes."""
    branches: list[Branch] = []
    outcomes: list[BranchOutcome] = []
    while wave := next_wave(outcomes):
        branches += wave
        outcomes += [outcome(branch.name, answer_of(branch.name)) for branch in wave]
    return branches, outcomes


@settings(max_examples=60)
@given(votes=st.lists(st.tuples(VOTES, ANSWERS), min_size=1, max_size=3))
def test_votes_in_sections_ask_the_same_and_decide_the_same_as_each_by_itself(
    votes: list[tuple[dict[str, Any], list[str | None]]],
) -> None:
    bodies = {f"s{number}": vote_of(drawn, len(answers)) for number, (drawn, answers) in enumerate(votes)}
    answers = dict(zip(bodies, (given for _, given in votes), strict=True))
    sections = [PLAIN, *({"name": name, "vote": body} for name, body in bodies.items())]
    request = accepted(SectioningRequest, {"input": "text", "sections": sections})
    together = Sections(request)

    def answer_of(branch: str) -> str | None:
        section, _, voter = branch.rpartition(":")
        return answers[section][int(voter.removeprefix("voter-")) - 1] if section else "yes"

    branches, outcomes = asked(together.next_wave, answer_of)
    found = together.answers(outcomes, together.countings(outcomes), None)

    for name, body in bodies.items():
        alone = accepted(VotingRequest, {**body, "context": "text"})
        polling = Polling(alone)
        calls, told = asked(polling.next_wave, lambda voter, name=name: answer_of(f"{name}:{voter}"))
        assert [branch for branch in branches if branch.name.startswith(f"{name}:")] == [
            call.model_copy(update={"name": f"{name}:{call.name}"}) for call in calls
        ]
        assert found.votes[name] == voting_output(Counting(polling.box(told)), polling.reason(told))
    assert [branch.name for branch in branches if ":" not in branch.name] == ["plain"]
    assert len(branches) <= together.most


def sections_of(*voters: Any, **fields: Any) -> Sections:
    """A plain section between votes of so many voters."""
    votes = [
        {"name": f"s{number}", "vote": {"question": "?", "ballot": YES_NO, "voters": each}}
        for number, each in enumerate(voters)
    ]
    return Sections(accepted(SectioningRequest, {"input": "t", "sections": [votes[0], PLAIN, *votes[1:]], **fields}))


def test_outcomes_are_told_in_the_order_of_the_request_whichever_wave_they_came_in() -> None:
    sections = sections_of({"max": 5, "wave": 2}, 2)
    branches, outcomes = asked(sections.next_wave, lambda name: "yes" if name[-1] in "135" else "no")

    assert [branch.name for branch in branches] == [
        "s0:voter-1", "s0:voter-2", "s0:voter-3", "plain", "s1:voter-1", "s1:voter-2", "s0:voter-4", "s0:voter-5",
    ]  # fmt: skip
    assert [outcome.name for outcome in sections.in_order(outcomes)] == [
        *(f"s0:voter-{number}" for number in range(1, 6)), "plain", "s1:voter-1", "s1:voter-2",
    ]  # fmt: skip


def test_more_voters_than_the_votes_need_are_asked_until_the_policy_is_met() -> None:
    plan = {"max": 9, "min": 3, "wave": 3}
    few, _ = asked(sections_of(plan).next_wave, lambda _: "yes")
    more, _ = asked(sections_of(plan, policy={"min_successful": 9}).next_wave, lambda _: "yes")

    assert (len(few), len(more)) == (1 + 5, 1 + 8)


def test_a_section_for_which_nobody_cast_a_valid_vote_is_missing() -> None:
    sections = sections_of(2, 2)
    _, outcomes = asked(sections.next_wave, lambda name: None if name.startswith("s0") else "yes")

    found = sections.answers(outcomes, sections.countings(outcomes), None)

    assert (found.missing, found.undecided) == (["s0"], ["s0"])
    assert [answer.name for answer in found.texts] == [answer.name for answer in found.values] == ["plain", "s1"]
    assert found.votes["s0"].outcome == "no_votes"


def test_a_vote_that_was_over_when_the_run_was_interrupted_says_why_it_ended_itself() -> None:
    sections = sections_of({"max": 9, "wave": 9}, {"max": 9, "wave": 5})
    outcomes = [outcome(branch.name, "yes") for branch in sections.next_wave([])]
    lost = [told.model_copy(update={"status": "timed_out"}) if told.name == "s1:voter-2" else told for told in outcomes]

    found = sections.answers(lost, sections.countings(lost), "deadline_exceeded")

    assert [vote.stop.reason for vote in found.votes.values()] == ["decided", "interrupted"]
