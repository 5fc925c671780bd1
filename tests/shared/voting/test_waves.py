"""How many voters are asked, in which waves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.jury import AnyStop, StopConfident, StopDecided, StopFixed
from shared.contracts.rules import (
    AnyRule,
    Approval,
    BestOf,
    Borda,
    Condorcet,
    InstantRunoff,
    Majority,
    Median,
    PerCriterion,
    Plurality,
    SelfConsistency,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
)
from shared.voting.election import Answer, Election, Vote
from shared.voting.rules import RULES, count
from shared.voting.waves import Poll, Step

ABC = ("a", "b", "c")
YES_MOSTLY = st.sampled_from(["a", "a", "a", "b", "c", None])
RANKINGS = st.sampled_from([*permutations(ABC), *[("a", "b", "c")] * 6, ("a",), None])
CONFIDENCES = st.sampled_from([0.0, 0.3, 0.9, 1.0])

type Cast = Sequence[tuple[Answer | None, float, float]]
"""What each voter of a jury would do, in their order: answer (None for none), confidence and weight."""


@dataclass(frozen=True)
class Course:
    """How a poll went."""

    sizes: tuple[int, ...]
    last: Step
    votes: tuple[Vote, ...]

    @property
    def asked(self) -> int:
        return sum(self.sizes)


def poll_of(election: Election, cast: Cast, stop: AnyStop, *, least: int = 1, wave: int = 10) -> Poll:
    return Poll(election, stop, min(least, len(cast)), len(cast), wave, tuple(weight for _, _, weight in cast))


def course(poll: Poll, cast: Cast) -> Course:
    """Ask wave after wave what each would do."""
    votes: list[Vote] = []
    sizes: list[int] = []
    while (step := poll.step(sum(sizes), votes)).size:
        for place in range(sum(sizes), sum(sizes) + step.size):
            answer, confidence, weight = cast[place]
            if answer is not None:
                votes.append(Vote(f"v{place}", answer, weight, confidence))
        sizes.append(step.size)
    return Course(tuple(sizes), step, tuple(votes))


def unweighted(answers: Sequence[Any]) -> Cast:
    return [(answer, 1.0, 1.0) for answer in answers]


def juries(answers: st.SearchStrategy[Any]) -> st.SearchStrategy[Cast]:
    return st.lists(answers, min_size=1, max_size=24).map(unweighted)


def weighing_juries() -> st.SearchStrategy[Cast]:
    return st.lists(st.tuples(YES_MOSTLY, CONFIDENCES, st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=16)


def scoring_juries() -> st.SearchStrategy[Cast]:
    return juries(st.sampled_from([None, *({"depth": float(score)} for score in (1, 4, 4, 4, 5))]))


def closed(rule: AnyRule) -> Election:
    return Election(rule, ABC)


NUMBERS = juries(st.sampled_from([None, 0.0, 7.0, 7.0, 7.0, 7.0, 9.0]))
SCORED = {"low": 1.0, "high": 5.0, "criteria": {"depth": 1.0}}

BY_SUPPORT: dict[str, tuple[Election, st.SearchStrategy[Cast]]] = {
    "plurality": (closed(Plurality()), juries(YES_MOSTLY)),
    "plurality, open": (Election(Plurality()), juries(YES_MOSTLY)),
    "weighted": (closed(Weighted()), weighing_juries()),
    "by confidence": (closed(Weighted(by="confidence")), weighing_juries()),
    "self-consistency": (Election(SelfConsistency()), juries(YES_MOSTLY)),
    "approval": (closed(Approval()), juries(st.sampled_from([(), ("a",), ("a", "b"), ("a", "c"), ("b",), None]))),
}
"""Where nothing settles a vote sooner than support for the leader."""
OTHERS: dict[str, tuple[Election, st.SearchStrategy[Cast]]] = {
    "majority": (closed(Majority()), juries(YES_MOSTLY)),
    "supermajority": (closed(Supermajority()), juries(YES_MOSTLY)),
    "unanimous": (Election(Unanimous()), juries(YES_MOSTLY)),
    "veto": (closed(Veto(answer="a", count=3)), juries(YES_MOSTLY)),
    "weighted, with a threshold": (closed(Weighted(by="both", threshold=0.6)), weighing_juries()),
    "best of": (Election(BestOf()), juries(YES_MOSTLY)),
    "borda": (closed(Borda()), juries(RANKINGS)),
    "condorcet": (closed(Condorcet()), juries(RANKINGS)),
    "instant runoff": (closed(InstantRunoff()), juries(RANKINGS)),
    "median": (Election(Median(), low=0.0, high=9.0), NUMBERS),
    "trimmed mean": (Election(TrimmedMean(trim=0.4)), NUMBERS),
    "pass or fail": (Election(PerCriterion(threshold=3), **SCORED), scoring_juries()),
    "overall score": (Election(PerCriterion(statistic="median"), **SCORED), scoring_juries()),
}
ALL = BY_SUPPORT | OTHERS
COUNTING_HEADS = [
    name
    for name, (election, _) in ALL.items()
    if election.rule.type not in {"weighted", "best_of", "median", "trimmed_mean", "per_criterion"}
]
LEAST = st.integers(1, 8)
WAVES = st.integers(1, 12)


def each(names: Sequence[str]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("name", names)


def standing(poll: Poll, went: Course) -> object:
    """The decision, those whose tie something could break, or None."""
    verdict = count(poll.election, went.votes)
    if verdict.outcome == "tie" and not isinstance(poll.election.rule, Supermajority | Unanimous):
        return verdict.leaders
    return verdict.decision if verdict.outcome == "decided" else None


# --- Bounds ---


@each(list(ALL))
@given(data=st.data(), least=LEAST, wave=WAVES)
def test_a_poll_ends_between_its_bounds_and_says_why(name: str, data: st.DataObject, least: int, wave: int) -> None:
    election, juries_of_it = ALL[name]
    cast = data.draw(juries_of_it)
    poll = poll_of(election, cast, StopDecided(), least=least, wave=wave)
    went = course(poll, cast)

    assert poll.least <= went.asked <= poll.most
    assert went.sizes[0] <= max(poll.least, wave)
    assert all(size <= wave for size in went.sizes[1:])
    assert went.last.reason == ("all_asked" if went.asked == poll.most else "decided")


@given(cast=juries(YES_MOSTLY), least=LEAST, wave=WAVES)
def test_fixed_asks_all_at_once(cast: Cast, least: int, wave: int) -> None:
    went = course(poll_of(closed(Plurality()), cast, StopFixed(), least=least, wave=wave), cast)

    assert went.sizes == (len(cast),)
    assert went.last == Step(0, "all_asked")


def test_every_rule_is_polled_here() -> None:
    assert {election.rule.type for election, _ in ALL.values()} == set(RULES)


# --- Nothing lost ---


@each(list(ALL))
@given(data=st.data(), least=LEAST, wave=WAVES)
def test_a_poll_that_stops_once_decided_ends_as_asking_all_would(
    name: str, data: st.DataObject, least: int, wave: int
) -> None:
    election, juries_of_it = ALL[name]
    cast = data.draw(juries_of_it)
    everybody = poll_of(election, cast, StopFixed())
    early = poll_of(election, cast, StopDecided(), least=least, wave=wave)

    assert standing(early, course(early, cast)) == standing(everybody, course(everybody, cast))


@each(list(ALL))
@given(data=st.data(), least=LEAST, wave=WAVES)
def test_waves_ask_less_than_a_wave_more_than_one_by_one(name: str, data: st.DataObject, least: int, wave: int) -> None:
    election, juries_of_it = ALL[name]
    cast = data.draw(juries_of_it)
    waves = course(poll_of(election, cast, StopDecided(), least=least, wave=wave), cast)
    one_by_one = course(poll_of(election, cast, StopDecided(), least=least, wave=1), cast)

    assert one_by_one.asked <= waves.asked <= one_by_one.asked + wave - 1


@each(list(BY_SUPPORT))
@given(data=st.data(), least=LEAST, wave=WAVES)
def test_where_support_settles_soonest_waves_ask_whom_one_by_one_asks(
    name: str, data: st.DataObject, least: int, wave: int
) -> None:
    election, juries_of_it = BY_SUPPORT[name]
    cast = data.draw(juries_of_it)
    stops: list[AnyStop] = [StopDecided()]
    if name in COUNTING_HEADS:
        stops += [StopConfident(level=0.8), StopConfident()]
    for stop in stops:
        waves = course(poll_of(election, cast, stop, least=least, wave=wave), cast)
        one_by_one = course(poll_of(election, cast, stop, least=least, wave=1), cast)
        assert (waves.asked, waves.last) == (one_by_one.asked, one_by_one.last)


@each(COUNTING_HEADS)
@given(data=st.data(), least=LEAST, wave=WAVES)
def test_the_more_confident_a_poll_must_be_the_more_it_asks(
    name: str, data: st.DataObject, least: int, wave: int
) -> None:
    election, juries_of_it = ALL[name]
    cast = data.draw(juries_of_it)
    asked = [
        course(poll_of(election, cast, stop, least=least, wave=1), cast).asked
        for stop in (StopConfident(level=0.6), StopConfident(level=0.95), StopDecided())
    ]

    assert asked == sorted(asked)


# --- Sizes ---


def sizes(
    stop: AnyStop, answers: str, *, rule: AnyRule | None = None, least: int = 3, wave: int = 10
) -> tuple[int, ...]:
    cast = unweighted(answers)
    return course(poll_of(closed(rule or Plurality()), cast, stop, least=least, wave=wave), cast).sizes


def test_the_first_wave_has_as_many_as_settle_a_unanimous_vote() -> None:
    assert sizes(StopDecided(), "a" * 15) == (8,)
    assert sizes(StopConfident(), "a" * 40) == (4,)


def test_the_first_wave_is_no_larger_than_a_wave_when_even_unanimity_takes_more() -> None:
    assert sizes(StopDecided(), "a" * 40) == (10, 10, 1)


def test_the_first_wave_has_the_least_number_of_voters_also_above_a_wave() -> None:
    assert sizes(StopConfident(), "a" * 40, least=12) == (12,)
    assert sizes(StopConfident(), "a" * 40, least=5, wave=1) == (5,)


def test_one_dissent_takes_as_many_more_as_support_would_need() -> None:
    assert sizes(StopDecided(), "aaaaaaab" + "a" * 7) == (8, 1)
    assert sizes(StopConfident(), "abaa" + "a" * 36) == (4, 3)


def test_votes_that_no_support_can_settle_go_on_in_whole_waves() -> None:
    cast = [(float(number), 1.0, 1.0) for number in range(25)]

    assert course(poll_of(Election(Median()), cast, StopDecided()), cast).sizes == (10, 10, 5)


def test_the_least_number_of_voters_comes_before_any_stop() -> None:
    poll = poll_of(closed(Unanimous()), unweighted("ab" * 9), StopDecided(), least=4)
    numbers = poll_of(Election(Median()), unweighted([1.0] * 18), StopDecided(), least=12)

    assert poll.step(2, [Vote("", "a"), Vote("", "b")]).size == 2
    assert numbers.step(0, []) == Step(12)


def test_support_on_a_ranking_puts_the_strongest_rival_last() -> None:
    poll = poll_of(closed(Borda()), unweighted([ABC] * 9), StopDecided(), least=3)

    assert poll.step(3, [Vote("", ABC)] * 3) == Step(3)


def test_a_veto_is_not_what_a_wave_supports() -> None:
    poll = poll_of(closed(Veto(answer="a")), unweighted("b" * 40), StopDecided(), least=3)

    assert poll.step(0, []) == Step(10)


def test_who_failed_was_asked_and_can_change_nothing_any_more() -> None:
    poll = poll_of(closed(Plurality()), unweighted("a" * 9), StopDecided())
    votes = [Vote(f"v{place}", "a") for place in range(4)]

    assert poll.step(4, votes) == Step(1)
    assert poll.step(6, votes) == Step(0, "decided")


def test_a_lead_by_weight_counts_the_weights_of_those_who_are_left() -> None:
    heavy_last = Poll(closed(Weighted()), StopDecided(), 1, 4, 10, (1.0, 1.0, 1.0, 5.0))
    heavy_first = Poll(closed(Weighted()), StopDecided(), 1, 4, 10, (5.0, 1.0, 1.0, 1.0))

    assert heavy_last.step(3, [Vote("", "a")] * 3) == Step(1)
    assert heavy_first.step(1, [Vote("", "a", weight=5.0)]) == Step(0, "decided")


def test_a_poll_in_front_is_not_confident_of_unanimity() -> None:
    votes = [Vote(f"v{place}", "a") for place in range(6)]

    assert poll_of(closed(Plurality()), unweighted("a" * 40), StopConfident()).step(6, votes).reason == "confident"
    assert poll_of(closed(Unanimous()), unweighted("a" * 40), StopConfident()).step(6, votes).size > 0


def test_the_same_votes_get_the_same_step() -> None:
    poll = poll_of(closed(Plurality()), unweighted("a" * 40), StopConfident())
    votes = [Vote("v1", "a"), Vote("v2", "b"), Vote("v3", "a")]

    assert poll.step(3, votes) == poll.step(3, votes)


@pytest.mark.parametrize("rule", [Plurality(), Majority(), Supermajority(), Veto(answer="stop")])
def test_the_first_wave_of_free_answers_is_as_large_as_that_of_options(rule: AnyRule) -> None:
    """Nobody has answered yet, but all may agree: eleven of twenty, or fourteen for two thirds, would settle it."""
    weights = (1.0,) * 20
    free = Poll(Election(rule), StopDecided(), 3, 20, 20, weights).step(0, [])
    closed = Poll(Election(rule, ("go", "wait", "stop")), StopDecided(), 3, 20, 20, weights).step(0, [])

    assert free == closed
    assert free.size == {"supermajority": 14, "veto": 20}.get(rule.type, 11)


def test_a_wave_whose_size_is_given_costs_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    poll = poll_of(closed(Plurality()), unweighted("a" * 40), StopDecided(), wave=1)
    monkeypatch.setattr("shared.voting.waves.count", lambda *_: pytest.fail("counted"))

    assert poll.step(1, [Vote("v1", "a")]) == Step(1)
