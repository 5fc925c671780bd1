"""The count of a ballot box, with what a judge has to say where the rule or a tie asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pydantic import JsonValue

from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.decision import Judgement
from shared.contracts.rules import Approval, BestOf, Majority, SelfConsistency, Weighted
from shared.contracts.voting import MAX_CANDIDATES, VotingRequest
from shared.voting.ballot_box import BallotBox, election_of
from shared.voting.election import Election, Verdict, Vote
from shared.voting.exact import exact, reaches
from shared.voting.judging import Candidate, grouping_branch, grouping_of, ranking_branches, rankings_of
from shared.voting.ranked import judged
from shared.voting.rules import count
from shared.voting.shapes import support

MAX_REASONS = 3
"""Of those who gave an answer, so many are heard by a judge who breaks a tie."""

DecidedBy = Literal["rule", "first", "judge", "chair"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict after its tie was broken, if it was: the key of what was decided, and by what."""

    verdict: Verdict
    decided_by: DecidedBy | None
    decision: str | float | None


@dataclass(frozen=True)
class Counting:
    """A count: `questions` for a judge, until it `heard` all that it needs.

    Of a vote that decides a `section`, the judge's calls have its name in theirs.
    """

    box: BallotBox
    section: str | None = None
    grouping: Judgement | None = None
    rankings: tuple[Judgement, ...] = ()
    asked_in_vain: bool = False

    @property
    def request(self) -> VotingRequest:
        """What is voted on."""
        return self.box.request

    @cached_property
    def election(self) -> Election:
        """What is counted."""
        return election_of(self.request)

    @cached_property
    def votes(self) -> list[Vote]:
        """The votes, under the first answer of their group once a judge has grouped them."""
        if self.grouping is None:
            return self.box.votes
        keys = {candidate.name: candidate.key for candidate in self._answers}
        group_of = {keys[name]: keys[group[0]] for group in self._groups for name in group}
        return [replace(vote, answer=group_of[str(vote.answer)]) for vote in self.box.votes]

    @cached_property
    def verdict(self) -> Verdict:
        """What the rule makes of the votes; `best_of` by the rankings of its judge."""
        if isinstance(self.request.effective_rule, BestOf) and self.rankings:
            return self._by_rankings(self._answers)
        return count(self.election, self.votes)

    @cached_property
    def decision(self) -> Decision:
        """The verdict, with its tie broken as the request says."""
        verdict = self.verdict
        if verdict.outcome == "decided":
            by = "judge" if isinstance(self.request.effective_rule, BestOf) and self.rankings else "rule"
            return Decision(verdict, by, verdict.decision)
        if not self._may_break(verdict):
            return Decision(verdict, None, None)
        broken, by = self._broken(verdict)
        return Decision(verdict, by if broken is not None else None, broken)

    def questions(self) -> list[Branch]:
        """The calls to a judge that the count needs next; none when it can be completed as it is."""
        return [question.within(self.section) for question in self._questions()]

    def _questions(self) -> list[Branch]:
        if self.asked_in_vain or self.rankings:
            return []
        rule, answers = self.request.effective_rule, self._answers
        if isinstance(rule, SelfConsistency) and self.grouping is None and len(answers) > 1:
            return [grouping_branch(self.request, answers)]
        if isinstance(rule, BestOf):
            return ranking_branches(self.request, answers) if len(answers) > 1 else []
        if self.request.tie_break == "judge" and self._may_break(self.verdict):
            return ranking_branches(self.request, self._leaders)
        return []

    def heard(self, outcomes: Sequence[BranchOutcome]) -> Counting:
        """The count after these answers to its questions."""
        rule = self.request.effective_rule
        if isinstance(rule, SelfConsistency) and self.grouping is None:
            grouping = grouping_of(self._answers, outcomes[0])
            return replace(self, grouping=grouping, asked_in_vain=grouping is None)
        candidates = self._answers if isinstance(rule, BestOf) else self._leaders
        rankings = tuple(rankings_of(candidates, outcomes))
        return replace(self, rankings=rankings, asked_in_vain=not rankings)

    @property
    def judgements(self) -> list[Judgement]:
        """What was heard."""
        return [*([self.grouping] if self.grouping else []), *self.rankings]

    def shown(self, key: str) -> JsonValue:
        """How an answer that votes are counted by is shown."""
        return self.box.shown.get(key, key)

    @cached_property
    def _answers(self) -> list[Candidate]:
        """The different free answers, in the order of their first mention."""
        first: dict[str, Vote] = {}
        for vote in self.box.votes:
            first.setdefault(str(vote.answer), vote)
        return [Candidate(key, vote.voter, str(self.shown(key))) for key, vote in first.items()]

    @cached_property
    def _groups(self) -> list[list[str]]:
        """The judge's groups, each with the answer first that was mentioned first."""
        place = {candidate.name: number for number, candidate in enumerate(self._answers)}
        return [
            sorted(group, key=lambda name: place[name]) for group in (self.grouping.groups if self.grouping else [])
        ]

    @property
    def _leaders(self) -> list[Candidate]:
        """The answers that share the lead, with the reasons of those who gave them."""
        names = {candidate.key: candidate.name for candidate in self._answers if self.election.options is None}
        return [Candidate(key, names.get(key, key), self._argued(key)) for key in self.verdict.leaders]

    def _argued(self, key: str) -> str:
        given = {ballot.voter: ballot for ballot in self.box.ballots}
        backers = [vote for vote in self.votes if backs(self.election, vote, key)]
        backers.sort(key=lambda vote: -vote.confidence)
        reasons = [given[vote.voter].reasoning for vote in backers if given[vote.voter].reasoning.strip()]
        return "\n".join([str(self.shown(key)), *(f"- {reason.strip()}" for reason in reasons[:MAX_REASONS])])

    def _by_rankings(self, candidates: Sequence[Candidate]) -> Verdict:
        keys = {candidate.name: candidate.key for candidate in candidates}
        rankings = [tuple(keys[name] for name in ranking.ranking) for ranking in self.rankings]
        return judged([candidate.key for candidate in candidates], rankings)

    def _may_break(self, verdict: Verdict) -> bool:
        """Whether there is a tie to break: one that leaves the rule's condition unmet is none.

        A casting vote makes a majority of one half, not of two fifths.
        """
        if verdict.outcome != "tie" or self.request.tie_break == "none":
            return False
        if self.request.tie_break == "judge" and len(verdict.leaders) > MAX_CANDIDATES:
            return False
        score = exact(verdict.scores[verdict.leaders[0]])
        match self.election.rule:
            case Majority():
                return score * 2 == len(self.votes)
            case Weighted(threshold=float(threshold)) as rule:
                return reaches(score, support(self.votes, rule), threshold)
            case _:
                return True

    def _broken(self, verdict: Verdict) -> tuple[str | None, DecidedBy]:
        """What breaks the tie makes of it; None when it cannot say."""
        match self.request.tie_break:
            case "judge":
                # Under `best_of` the rankings are what made the tie, and there are no others.
                is_heard = bool(self.rankings) and not isinstance(self.request.effective_rule, BestOf)
                found = self._by_rankings(self._leaders) if is_heard else None
                return (str(found.decision) if found and found.outcome == "decided" else None), "judge"
            case "chair":
                return self._casting_vote(verdict), "chair"
            case _:
                return verdict.leaders[0], "first"

    def _casting_vote(self, verdict: Verdict) -> str | None:
        """The leader that the chair voted for; None when it voted for none of them, or for several."""
        chair = self.request.chair or self.box.voters[0].name
        vote = next((vote for vote in self.votes if vote.voter == chair), None)
        if vote is None:
            return None
        if isinstance(vote.answer, tuple) and self.request.ballot.type == "ranking":
            return next((option for option in vote.answer if option in verdict.leaders), None)
        backed = [leader for leader in verdict.leaders if backs(self.election, vote, leader)]
        return backed[0] if len(backed) == 1 else None


def backs(election: Election, vote: Vote, key: str) -> bool:
    """Whether a vote is for an answer: gives it, approves of it, or ranks it first."""
    if not isinstance(vote.answer, tuple):
        return vote.answer == key
    return key in vote.answer if isinstance(election.rule, Approval) else vote.answer[0] == key
