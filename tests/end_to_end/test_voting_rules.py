"""Every ballot with every rule that fits it, from HTTP request to decision; the decisions are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.rules import RULES_OF
from tests.end_to_end.conftest import JSON, Chorus, verdict
from tests.end_to_end.votes import TREES, juror, jury, scores, statuses, vote

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOLEAN: JSON = {"type": "boolean"}
FREE: JSON = {"type": "free"}
APPROVAL: JSON = {**TREES, "type": "approval"}
RANKING: JSON = {**TREES, "type": "ranking"}
PARTIAL_RANKING: JSON = {**RANKING, "complete": False}
SCORE: JSON = {"type": "score", "criteria": ["depth", {"name": "style", "weight": 3}], "minimum": 0, "maximum": 5}
NUMBER: JSON = {"type": "number", "minimum": 0, "unit": "minutes"}

NAMES = {"a": "ash", "b": "birch", "c": "cedar"}
CAUSE = "The checkout timed out because its pool of connections was exhausted."
QUEUE = "Put a queue between the services."


@dataclass(frozen=True, slots=True)
class Case:
    """A vote and what comes of it; `tally` is each answer and what it got, best first."""

    name: str
    ballot: JSON
    rule: Any
    voters: list[JSON]
    outcome: str
    decision: Any = None
    leaders: Sequence[Any] = ()
    tally: Sequence[tuple[Any, float]] = ()
    criteria: dict[str, float] = field(default_factory=dict[str, float])
    judges: int = 0


def trees(letters: str) -> list[JSON]:
    """`"aab"` is a vote for ash, another, and one for birch."""
    return jury(*[NAMES[letter] for letter in letters])


def lists(words: str) -> list[JSON]:
    """`"ab c"` are two voters: one lists ash and birch, in this order, the other cedar; `-` lists nothing."""
    return jury(*[[NAMES[letter] for letter in word if letter != "-"] for word in words.split()])


def weighing(*voters: tuple[Any, float, float]) -> list[JSON]:
    """Answers with weights and confidences."""
    return [
        juror(f"v{number}", answer, weight=weight, confidence=confidence)
        for number, (answer, weight, confidence) in enumerate(voters, start=1)
    ]


def scored(*pairs: tuple[float, float]) -> list[JSON]:
    """Scores for depth and style."""
    return jury(*[{"depth": depth, "style": style} for depth, style in pairs])


CHOICE = [
    Case("plurality", TREES, "plurality", trees("aaabbcc"), "decided", "ash", ["ash"],
         [("ash", 3), ("birch", 2), ("cedar", 2)]),
    Case("plurality ties", TREES, "plurality", trees("bbcca"), "tie", None, ["birch", "cedar"],
         [("birch", 2), ("cedar", 2), ("ash", 1)]),
    Case("majority missed", TREES, "majority", trees("aaabbcc"), "no_consensus", None, ["ash"],
         [("ash", 3), ("birch", 2), ("cedar", 2)]),
    Case("majority", TREES, "majority", trees("bbbac"), "decided", "birch", ["birch"],
         [("birch", 3), ("ash", 1), ("cedar", 1)]),
    Case("two thirds reached exactly", TREES, "supermajority", trees("aaaabc"), "decided", "ash", ["ash"],
         [("ash", 4), ("birch", 1), ("cedar", 1)]),
    Case("three quarters missed", TREES, {"type": "supermajority", "threshold": 0.75}, trees("aaabc"), "no_consensus",
         None, ["ash"], [("ash", 3), ("birch", 1), ("cedar", 1)]),
    Case("unanimous", TREES, "unanimous", trees("ccc"), "decided", "cedar", ["cedar"],
         [("cedar", 3), ("ash", 0), ("birch", 0)]),
    Case("vetoed", TREES, {"type": "veto", "answer": "cedar", "count": 2}, trees("aaacc"), "decided", "cedar",
         ["cedar"], [("ash", 3), ("cedar", 2), ("birch", 0)]),
    Case("too few vetoes", TREES, {"type": "veto", "answer": "cedar", "count": 3}, trees("accbb"),
         "decided", "birch", ["birch"], [("birch", 2), ("cedar", 2), ("ash", 1)]),
    Case("weighted", TREES, "weighted", weighing(("ash", 1, 0.9), ("ash", 1, 0.9), ("birch", 3, 0.1)), "decided",
         "birch", ["birch"], [("birch", 3), ("ash", 2), ("cedar", 0)]),
    Case("weighted by confidence", TREES, {"type": "weighted", "by": "confidence"},
         weighing(("ash", 1, 0.1), ("ash", 1, 0.2), ("birch", 1, 0.4)), "decided", "birch", ["birch"],
         [("birch", 0.4), ("ash", 0.3), ("cedar", 0)]),
    Case("weighted by both ties exactly", TREES, {"type": "weighted", "by": "both"},
         weighing(("ash", 1, 0.1), ("ash", 2, 0.1), ("birch", 1, 0.3)), "tie", None, ["ash", "birch"],
         [("ash", 0.3), ("birch", 0.3), ("cedar", 0)]),
    Case("weight below its threshold", TREES, {"type": "weighted", "threshold": 0.7},
         weighing(("ash", 2, 0.5), ("birch", 1, 0.5)), "no_consensus", None, ["ash"],
         [("ash", 2), ("birch", 1), ("cedar", 0)]),
]  # fmt: skip

YES, NO = True, False
BOOLEANS = [
    Case("plurality of booleans", BOOLEAN, "plurality", jury(NO, NO, YES), "decided", NO, [NO], [(NO, 2), (YES, 1)]),
    Case("majority of booleans", BOOLEAN, "majority", jury(YES, NO), "tie", None, [YES, NO], [(YES, 1), (NO, 1)]),
    Case("supermajority of booleans", BOOLEAN, "supermajority", jury(YES, YES, YES, NO, NO), "no_consensus", None,
         [YES], [(YES, 3), (NO, 2)]),
    Case("unanimous booleans", BOOLEAN, "unanimous", jury(YES, YES, NO), "no_consensus", None, [YES],
         [(YES, 2), (NO, 1)]),
    Case("one no is a veto", BOOLEAN, {"type": "veto", "answer": NO}, jury(YES, YES, YES, NO), "decided", NO, [NO],
         [(YES, 3), (NO, 1)]),
    Case("weighted booleans", BOOLEAN, "weighted", weighing((YES, 1.5, 0.5), (NO, 1, 0.5)), "decided", YES, [YES],
         [(YES, 1.5), (NO, 1)]),
]  # fmt: skip

SPELLINGS = jury("A queue", "a queue!", "A  QUEUE.", "A queue", "A cache")
FREES = [
    Case("spellings are one answer", FREE, "plurality", SPELLINGS, "decided", "A queue", ["A queue"],
         [("A queue", 4), ("A cache", 1)]),
    Case("majority of free answers", FREE, "majority", SPELLINGS, "decided", "A queue", ["A queue"],
         [("A queue", 4), ("A cache", 1)]),
    Case("supermajority of free answers", FREE, {"type": "supermajority", "threshold": 0.9}, SPELLINGS, "no_consensus",
         None, ["A queue"], [("A queue", 4), ("A cache", 1)]),
    Case("unanimous free answers", FREE, "unanimous", jury("A queue.", "a queue"), "decided", "A queue.", ["A queue."],
         [("A queue.", 2)]),
    Case("a free veto", FREE, {"type": "veto", "answer": "stop"}, jury("Go", "go", "STOP!"), "decided", "STOP!",
         ["STOP!"], [("Go", 2), ("STOP!", 1)]),
    Case("weighted free answers", FREE, "weighted", weighing(("Go", 1, 0.5), ("Wait", 1.5, 0.5)), "decided", "Wait",
         ["Wait"], [("Wait", 1.5), ("Go", 1)]),
    Case("a judge groups three that mean the same", FREE, "self_consistency",
         jury("Restart it nightly.", "Restart it nightly.", QUEUE, "Between the services, put a queue.",
              "A queue, put between services."),
         "decided", QUEUE, [QUEUE], [(QUEUE, 3), ("Restart it nightly.", 2)], judges=1),
    Case("a judge finds the best", FREE, "best_of",
         jury("Bananas.", CAUSE, "Nobody knows."), "decided", CAUSE, [CAUSE],
         [(CAUSE, 4), ("Nobody knows.", 2), ("Bananas.", 0)], judges=2),
]  # fmt: skip

CYCLE = "abc abc abc abc bca bca bca cab cab"
RANKINGS = [
    Case("condorcet", RANKING, "condorcet", lists("abc bac acb"), "decided", "ash", ["ash"],
         [("ash", 2), ("birch", 1), ("cedar", 0)]),
    *[
        Case(f"a cycle completed by {completion}", RANKING, {"type": "condorcet", "completion": completion},
             lists(CYCLE), "decided", "ash", ["ash"], [("ash", 1), ("birch", 1), ("cedar", 1)])
        for completion in ("schulze", "ranked_pairs", "minimax")
    ],
    Case("a cycle left alone", RANKING, {"type": "condorcet", "completion": "none"}, lists(CYCLE), "no_consensus",
         None, ["ash", "birch", "cedar"], [("ash", 1), ("birch", 1), ("cedar", 1)]),
    Case("borda against the majority", RANKING, "borda", lists("abc abc abc bca bca"), "decided", "birch", ["birch"],
         [("birch", 7), ("ash", 6), ("cedar", 2)]),
    Case("borda of partial rankings", PARTIAL_RANKING, "borda", lists("a bca b"), "decided", "birch", ["birch"],
         [("birch", 4.5), ("ash", 2.5), ("cedar", 2)]),
    Case("instant runoff", RANKING, "instant_runoff", lists("abc abc bca bca cba"), "decided", "birch", ["birch"],
         [("birch", 3), ("ash", 2), ("cedar", 1)]),
]  # fmt: skip

FIGURES = [
    Case("approval", APPROVAL, "approval", lists("a ab b bc -"), "decided", "birch", ["birch"],
         [("birch", 3), ("ash", 2), ("cedar", 1)]),
    Case("mean scores", SCORE, "per_criterion", scored((4, 2), (5, 3)), "decided", 3.0,
         criteria={"depth": 4.5, "style": 2.5}),
    Case("median scores", SCORE, {"type": "per_criterion", "statistic": "median"}, scored((1, 1), (2, 5), (5, 5)),
         "decided", 4.25, criteria={"depth": 2, "style": 5}),
    Case("a threshold reached exactly", SCORE, {"type": "per_criterion", "threshold": 3}, scored((4, 2), (5, 3)),
         "decided", "pass", criteria={"depth": 4.5, "style": 2.5}),
    Case("a threshold missed", SCORE, {"type": "per_criterion", "threshold": 3.01}, scored((4, 2), (5, 3)),
         "decided", "fail", criteria={"depth": 4.5, "style": 2.5}),
    Case("median", NUMBER, "median", jury(3, 100, 5, 4), "decided", 4.5),
    Case("trimmed mean", NUMBER, {"type": "trimmed_mean", "trim": 0.25}, jury(100, 4, 6, 1), "decided", 5),
]  # fmt: skip

CASES = [*CHOICE, *BOOLEANS, *FREES, *RANKINGS, *FIGURES]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_the_decision_is_that_worked_out_by_hand(chorus: Chorus, case: Case) -> None:
    before = chorus.model.calls

    result = await chorus.run("voting", vote(case.voters, case.ballot, rule=case.rule))

    output = result["output"]
    assert verdict(result) == ("succeeded", "all_completed")
    assert statuses(output) == ["counted"] * len(case.voters)
    assert (output["outcome"], output["decision"]) == (case.outcome, case.decision)
    assert output["leaders"] == list(case.leaders)
    assert {criterion["name"]: criterion["score"] for criterion in output["criteria"]} == case.criteria
    assert scores(output) == list(case.tally)
    assert len(result["judges"]) == len(output["judgements"]) == case.judges
    assert result["usage"]["model_calls"] == chorus.model.calls - before == len(case.voters) + case.judges


async def test_every_rule_of_every_ballot_is_among_the_cases() -> None:
    tried = {(case.ballot["type"], case.rule if isinstance(case.rule, str) else case.rule["type"]) for case in CASES}
    fitting = {(kind, rule.model_fields["type"].default) for kind, rules in RULES_OF.items() for rule in rules}
    assert tried == fitting


async def test_without_a_rule_the_usual_one_decides(chorus: Chorus) -> None:
    for ballot, voters, usual in (
        (TREES, trees("aab"), "majority"),
        (RANKING, lists("abc bac acb"), "condorcet"),
        (NUMBER, jury(1, 2, 9), "median"),
    ):
        result = await chorus.run("voting", vote(voters, ballot))
        assert result["output"]["rule"]["type"] == usual
        assert result["output"]["outcome"] == "decided"
