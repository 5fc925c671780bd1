"""What must become of a run whose calls suffer given faults, worked out from the promises of the API alone.

A branch goes through an `Ordeal` (the faults of its calls, in order) to a `Fate` (its outcome). The fates of its
branches and its policy decide a run. Nothing here asks the app; `check` compares what the app says with what must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

JSON = dict[str, Any]
Pattern = Literal["sectioning", "voting", "map-reduce"]

PATTERNS: tuple[Pattern, ...] = ("sectioning", "voting", "map-reduce")
AGGREGATIONS: Mapping[Pattern, str] = {"sectioning": "~synthesis", "map-reduce": "~reduction"}
"""The name of the call that joins the branches; voting counts and makes none."""

RETRIED: Mapping[str, tuple[str, int | None]] = {
    "throttle": ("rate_limited", 429),
    "error": ("model_unavailable", 500),
    "cut": ("connection_failed", None),
    "broken-body": ("model_unavailable", None),
}
"""Faults after which the same call may succeed: the error's code and HTTP status when it never does."""
FINAL: Mapping[str, tuple[str, int | None]] = {
    "refusal": ("refused", None),
    "bad-request": ("invalid_call", 400),
    "content-filter": ("content_filtered", 400),
    "unauthorized": ("not_authenticated", 401),
}
"""Faults that end a branch at once."""
OUT_OF_TIME = frozenset({"branch_timed_out", "call_timed_out"})
"""Of a call at its branch's end either the call or the branch tells that the time was up."""

ATTEMPTS = 3
DEADLINE_S = 45.0
BRANCH_TIMEOUT_S = 20.0
HUNG_BRANCH_TIMEOUT_S = 3.0
GRACE_S = 2.0
"""How late a branch or a run may end."""
SLOW_S = 0.4
RETRY_AFTER_S = 0.05

MATERIAL = "The service was down for an hour. The cause was a full disk. Nobody was told."
SCHEMA: JSON = {
    "type": "object",
    "properties": {"summary": {"type": "string"}},
    "required": ["summary"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Ordeal:
    """The faults of a branch's first calls, in order; with `always` the last of them never ends."""

    kinds: tuple[str, ...] = ()
    always: bool = False

    def at(self, call: int) -> str | None:
        """What the call with this number, from 0, suffers."""
        if call < len(self.kinds):
            return self.kinds[call]
        return self.kinds[-1] if self.always and self.kinds else None

    @property
    def markers(self) -> str:
        """What tells the offline model of it; only one kind can go on for ever."""
        if self.always:
            assert len(set(self.kinds)) == 1, self
            return marker(self.kinds[0])
        marks = [marker(kind, len(list(same))) for kind, same in groupby(self.kinds)]
        assert len(set(marks)) == len(marks), f"the offline model takes a repeated marker for one: {self}"
        return " ".join(marks)


UNHARMED = Ordeal()


def marker(kind: str, times: int | None = None) -> str:
    """An order to the offline model."""
    seconds = {"slow": f":{SLOW_S:g}", "throttle": f":{RETRY_AFTER_S:g}"}.get(kind, "")
    return f"[[fault:{kind}{seconds}{'' if times is None else f'*{times}'}]]"


@dataclass(frozen=True, slots=True)
class Fate:
    """The outcome that a branch must have; of a success `codes` is empty."""

    status: Literal["succeeded", "failed", "timed_out"]
    attempts: int
    calls: int
    codes: frozenset[str] = frozenset()
    http_status: int | None = None
    retriable: bool = False

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


def fate_of(ordeal: Ordeal, attempts: int, structured: bool) -> Fate:
    """Follow a branch through its calls: an attempt is a call, and one more to repair an answer that is no JSON."""
    calls = 0
    error: tuple[str, int | None] = ("", None)
    for attempt in range(1, attempts + 1):
        kind, calls = ordeal.at(calls), calls + 1
        if kind == "malformed" and structured:
            kind, calls = ordeal.at(calls), calls + 1
            if kind == "malformed":
                return Fate("failed", attempt, calls, frozenset({"invalid_output"}))
        if kind == "hang":
            return Fate("timed_out", attempt, calls, OUT_OF_TIME, retriable=True)
        if kind in FINAL:
            code, http_status = FINAL[kind]
            return Fate("failed", attempt, calls, frozenset({code}), http_status)
        if kind not in RETRIED:
            return Fate("succeeded", attempt, calls)
        error = RETRIED[kind]
    return Fate("failed", attempts, calls, frozenset({error[0]}), error[1], retriable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run: what its branches and its aggregation go through, and its policy."""

    id: str
    pattern: Pattern
    ordeals: Mapping[str, Ordeal]
    aggregator: Ordeal = UNHARMED
    structured: bool = False
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def effective_policy(self) -> JSON:
        """The policy that is sent: short where a branch hangs, because it costs the whole of its time."""
        hangs = any("hang" in ordeal.kinds for ordeal in (*self.ordeals.values(), self.aggregator))
        stated = {
            "attempts": ATTEMPTS,
            "branch_timeout_s": HUNG_BRANCH_TIMEOUT_S if hangs else BRANCH_TIMEOUT_S,
            "deadline_s": DEADLINE_S,
            **self.policy,
        }
        return {**stated, "branch_timeout_s": min(stated["branch_timeout_s"], stated["deadline_s"])}

    @property
    def request(self) -> JSON:
        """The body to post; the case's id makes its prompts like no other run's."""
        return {**REQUESTS[self.pattern](self), "policy": self.effective_policy}

    @property
    def fates(self) -> dict[str, Fate]:
        """What must become of each branch."""
        structured = self.structured or self.pattern == "voting"
        attempts = self.effective_policy["attempts"]
        return {name: fate_of(ordeal, attempts, structured) for name, ordeal in self.ordeals.items()}

    @property
    def prompt_branches(self) -> int:
        """How many branches end without waiting for a retry or for their time to be up."""
        return sum(fate.attempts == 1 and fate.status != "timed_out" for fate in self.fates.values())

    @property
    def aggregation_fate(self) -> Fate | None:
        """What must become of the aggregation; None when there is nothing to aggregate, or no call for it."""
        if self.pattern not in AGGREGATIONS or not is_met(list(self.fates.values()), self.policy):
            return None
        return fate_of(self.aggregator, self.effective_policy["attempts"], structured=False)


def sectioning_request(case: Case) -> JSON:
    return {
        "input": f"{MATERIAL} This is run {case.id}.",
        "sections": [
            {"name": name, "agent": agent(case, f"Summarise for {name}. {ordeal.markers}")}
            for name, ordeal in case.ordeals.items()
        ],
        "synthesizer": {"instructions": f"Write the answer of run {case.id}. {case.aggregator.markers}"},
    }


def voting_request(case: Case) -> JSON:
    return {
        "question": "Was the cause a full disk?",
        "context": f"{MATERIAL} This is run {case.id}.",
        "voters": [
            {"name": name, "instructions": f"You are voter {name}. {ordeal.markers}"}
            for name, ordeal in case.ordeals.items()
        ],
        "ballot": {"type": "choice", "options": ["yes", "no"]},
    }


def map_reduce_request(case: Case) -> JSON:
    return {
        "documents": [
            {"id": name, "content": f"{MATERIAL} This is document {name} of run {case.id}. {ordeal.markers}"}
            for name, ordeal in case.ordeals.items()
        ],
        "map": agent(case, "State the cause."),
        "reduce": {"instructions": f"Sum up run {case.id}. {case.aggregator.markers}"},
    }


def agent(case: Case, instructions: str) -> JSON:
    return {"instructions": instructions, **({"output_schema": SCHEMA} if case.structured else {})}


REQUESTS = {"sectioning": sectioning_request, "voting": voting_request, "map-reduce": map_reduce_request}


def is_met(fates: Sequence[Fate], policy: Mapping[str, Any]) -> bool:
    """Whether a policy is satisfied: one success is always needed."""
    good = sum(fate.succeeded for fate in fates)
    bad = len(fates) - good
    return (
        good >= policy.get("min_successful", 1)
        and bad <= policy.get("tolerated_failure_count", bad)
        and 100 * bad / len(fates) <= policy.get("tolerated_failure_percentage", 100)
    )


def ending_of(case: Case) -> tuple[str, str]:
    """The status and the completion reason that the run must have."""
    fates = list(case.fates.values())
    if not is_met(fates, case.policy):
        return "failed", "failure_tolerance_exceeded"
    if case.aggregation_fate is not None and not case.aggregation_fate.succeeded:
        return "partial", "aggregation_failed"
    return "succeeded" if all(fate.succeeded for fate in fates) else "partial", "all_completed"


def check(case: Case, result: JSON) -> None:
    """Compare a run's result with what must be."""
    assert (result["status"], result["completion_reason"]) == ending_of(case), summary(result)
    fates = case.fates
    check_consistency(result, list(fates))
    for outcome in result["outcomes"]:
        check_outcome(outcome, fates[outcome["name"]])
    check_aggregation(case, result)
    if result["status"] == "failed":
        assert result["output"] is None
    else:
        check_output(case, result)
    timeout_s = case.effective_policy["branch_timeout_s"]
    for outcome in calls_of(result):
        assert seconds(outcome) <= timeout_s + GRACE_S, outcome


def check_consistency(result: JSON, names: Sequence[str]) -> None:
    """What holds for the result of any run, whatever its branches went through."""
    assert [outcome["name"] for outcome in result["outcomes"]] == list(names)
    assert result["missing"] == [o["name"] for o in result["outcomes"] if o["status"] != "succeeded"]
    for counter in ("model_calls", "input_tokens", "output_tokens", "total_tokens"):
        assert result["usage"][counter] == sum(outcome["usage"][counter] for outcome in calls_of(result)), counter
    for outcome in calls_of(result):
        assert (outcome["output"] is not None) == (outcome["status"] == "succeeded"), outcome
        assert (outcome["error"] is None) == (outcome["status"] == "succeeded"), outcome
        if outcome["error"] is not None:
            assert outcome["error"]["code"], outcome
            assert outcome["error"]["message"], outcome
        assert moment(result["started_at"]) <= moment(outcome["started_at"]) <= moment(outcome["ended_at"]), outcome
        assert moment(outcome["ended_at"]) <= moment(result["ended_at"]), outcome
        counted = outcome["usage"]
        assert counted["total_tokens"] == counted["input_tokens"] + counted["output_tokens"], outcome
    assert seconds(result) <= result["policy"]["deadline_s"] + GRACE_S
    assert result["error"] is None


def check_outcome(outcome: JSON, fate: Fate) -> None:
    """Of a branch that ran out of time the calls that nobody accounted for may be missing."""
    assert (outcome["status"], outcome["attempts"]) == (fate.status, fate.attempts), outcome
    calls = outcome["usage"]["model_calls"]
    assert calls == fate.calls or (fate.status == "timed_out" and 1 <= calls < fate.calls), outcome
    if fate.codes:
        assert outcome["error"]["code"] in fate.codes, outcome
        assert outcome["error"]["http_status"] == fate.http_status, outcome
        assert outcome["error"]["retriable"] == fate.retriable, outcome


def check_aggregation(case: Case, result: JSON) -> None:
    """The aggregation is told by its own name, when there was one."""
    fate = case.aggregation_fate
    if fate is None:
        assert result["aggregation"] is None
        return
    assert result["aggregation"]["name"] == AGGREGATIONS[case.pattern]
    check_outcome(result["aggregation"], fate)


def check_output(case: Case, result: JSON) -> None:
    """The answer rests on all branches that succeeded, and on no other."""
    output, good = result["output"], [name for name, fate in case.fates.items() if fate.succeeded]
    fate = case.aggregation_fate
    if case.pattern == "voting":
        assert (output["asked"], output["counted"]) == (len(case.ordeals), len(good))
        assert [ballot["voter"] for ballot in output["ballots"] if ballot["status"] == "counted"] == good
        assert sum(line["score"] for line in output["tally"]) == len(good)
    elif case.pattern == "map-reduce":
        assert output["documents"] == good
        assert output["reduction"] == ("agent" if fate is None or fate.succeeded else "concatenate")
    else:
        assert output["aggregation"] == ("synthesize" if fate is None or fate.succeeded else "concatenate")
    assert output["decision" if case.pattern == "voting" else "content"]


def calls_of(result: JSON) -> list[JSON]:
    """The outcomes of a run, its aggregation's too."""
    return [*result["outcomes"], *([result["aggregation"]] if result["aggregation"] else [])]


def seconds(timed: JSON) -> float:
    """How long a run or a branch says it took."""
    return (moment(timed["ended_at"]) - moment(timed["started_at"])).total_seconds()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def summary(result: JSON) -> list[tuple[Any, ...]]:
    """A run in few lines, for whoever reads a failed test."""
    return [
        (o["name"], o["status"], o["attempts"], (o["error"] or {}).get("code"), round(seconds(o), 2))
        for o in calls_of(result)
    ]
