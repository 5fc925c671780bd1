from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.consensus import decide
from shared.contracts.voting import Ballot, ChoiceBallot, FreeBallot, Vote, VotingOutput
from shared.normalisation import normalised

FREE = FreeBallot()
CHOICE = ChoiceBallot(options=["Yes", "No", "It depends"])

SPELLINGS = st.sampled_from(
    ["yes", "Yes", "YES!", " yes ", "no", "No.", "it depends", "It-depends", "maybe", "-5", "5"]
)


def votes(*answers: str) -> list[Vote]:
    return [Vote(voter=f"v{number}", answer=answer) for number, answer in enumerate(answers, 1)]


def ballots(ballot: Ballot) -> st.SearchStrategy[list[Vote]]:
    answers = st.sampled_from(ballot.options) if isinstance(ballot, ChoiceBallot) else SPELLINGS
    return st.lists(answers, max_size=12).map(lambda drawn: votes(*drawn))


POLLS = st.sampled_from([FREE, CHOICE]).flatmap(lambda ballot: st.tuples(st.just(ballot), ballots(ballot)))


def in_words(output: VotingOutput) -> tuple[str, str | None, set[str], dict[str, int]]:
    """A decision by its meaning, whatever the spelling and the order."""
    return (
        output.outcome,
        None if output.decision is None else normalised(output.decision),
        {normalised(leader) for leader in output.leaders},
        {normalised(line.answer): line.votes for line in output.tally},
    )


@pytest.mark.parametrize(
    ("answers", "outcome", "decision", "leaders"),
    [
        (["yes", "yes", "no"], "decided", "yes", ["yes"]),
        (["yes"], "decided", "yes", ["yes"]),
        (["yes", "no"], "tie", None, ["yes", "no"]),
        (["a", "b", "c"], "tie", None, ["a", "b", "c"]),
        (["a", "a", "b", "c"], "no_majority", None, ["a"]),
        (["a", "a", "b", "b", "c"], "tie", None, ["a", "b"]),
        ([], "no_majority", None, []),
    ],
)
def test_more_than_half_decides(answers: list[str], outcome: str, decision: str | None, leaders: list[str]) -> None:
    output = decide(votes(*answers), FREE, asked=5)

    assert (output.outcome, output.decision, output.leaders) == (outcome, decision, leaders)
    assert (output.asked, output.counted) == (5, len(answers))


def test_a_free_answer_is_reported_in_its_usual_spelling() -> None:
    output = decide(votes("paris", "Paris!", "Paris!", "PARIS"), FREE, asked=4)

    assert output.decision == "Paris!"
    assert output.tally[0].voters == ["v1", "v2", "v3", "v4"]


def test_among_equally_usual_spellings_the_first_is_reported() -> None:
    assert decide(votes("PARIS", "paris"), FREE, asked=2).decision == "PARIS"


def test_a_choice_is_reported_as_the_ballot_spells_it() -> None:
    assert decide(votes("yes!", "YES"), CHOICE, asked=2).decision == "Yes"


def test_every_option_of_a_choice_is_in_the_tally() -> None:
    output = decide(votes("It depends"), CHOICE, asked=1)

    assert [(line.answer, line.votes) for line in output.tally] == [("It depends", 1), ("Yes", 0), ("No", 0)]


def test_without_a_vote_no_option_leads() -> None:
    output = decide([], CHOICE, asked=3)

    assert (output.outcome, output.leaders) == ("no_majority", [])
    assert all(line.share == 0 for line in output.tally)


@given(poll=POLLS, data=st.data())
def test_the_order_of_the_votes_does_not_change_the_decision(
    poll: tuple[Ballot, list[Vote]], data: st.DataObject
) -> None:
    ballot, cast = poll
    shuffled = data.draw(st.permutations(cast))

    assert in_words(decide(shuffled, ballot, len(cast))) == in_words(decide(cast, ballot, len(cast)))


@given(poll=POLLS, data=st.data())
def test_who_gave_which_vote_does_not_change_the_decision(poll: tuple[Ballot, list[Vote]], data: st.DataObject) -> None:
    ballot, cast = poll
    names = data.draw(st.permutations([vote.voter for vote in cast]))
    renamed = [vote.model_copy(update={"voter": name}) for vote, name in zip(cast, names, strict=True)]

    assert in_words(decide(renamed, ballot, len(cast))) == in_words(decide(cast, ballot, len(cast)))


@given(poll=POLLS)
def test_every_vote_is_counted_once(poll: tuple[Ballot, list[Vote]]) -> None:
    ballot, cast = poll

    tally = decide(cast, ballot, len(cast)).tally

    assert sum(line.votes for line in tally) == len(cast)
    assert Counter(voter for line in tally for voter in line.voters) == Counter(vote.voter for vote in cast)
    assert all(len(line.voters) == line.votes for line in tally)
    assert [line.votes for line in tally] == sorted((line.votes for line in tally), reverse=True)
    assert sum(line.share for line in tally) == pytest.approx(1.0 if cast else 0.0)


@given(poll=POLLS)
def test_the_outcome_follows_from_the_counts(poll: tuple[Ballot, list[Vote]]) -> None:
    ballot, cast = poll

    output = decide(cast, ballot, len(cast))

    counts = [line.votes for line in output.tally]
    most = max(counts, default=0)
    assert (output.outcome == "decided") == (most * 2 > len(cast))
    assert (output.outcome == "tie") == (most > 0 and most * 2 <= len(cast) and counts.count(most) > 1)
    assert (output.decision is not None) == (output.outcome == "decided")
    assert len(output.leaders) == (counts.count(most) if most else 0)


@given(poll=POLLS)
def test_an_answer_is_reported_as_somebody_spelled_it(poll: tuple[Ballot, list[Vote]]) -> None:
    ballot, cast = poll
    spelled = {vote.answer.strip() for vote in cast}
    allowed = spelled | set(ballot.options) if isinstance(ballot, ChoiceBallot) else spelled

    assert {line.answer for line in decide(cast, ballot, len(cast)).tally} <= allowed


@given(poll=POLLS, supporters=st.integers(1, 5))
def test_more_votes_for_the_decision_do_not_change_it(poll: tuple[Ballot, list[Vote]], supporters: int) -> None:
    ballot, cast = poll
    before = decide(cast, ballot, len(cast))
    if before.decision is None:
        return
    more = [Vote(voter=f"new{number}", answer=before.decision) for number in range(supporters)]

    after = decide([*cast, *more], ballot, len(cast) + supporters)

    assert in_words(after)[:2] == in_words(before)[:2]
