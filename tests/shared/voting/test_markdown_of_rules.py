"""What the report says of rules that need more words than a tally: those of judges, and of scores."""

from __future__ import annotations

import pytest

from shared.contracts.decision import CriterionScore, Judgement, TallyLine
from shared.contracts.rules import AnyRule, BestOf, PerCriterion, Plurality, SelfConsistency
from tests.shared.voting.test_markdown import output, said

RANKING = Judgement(task="ranking", shown=["a", "b"], ranking=["a", "b"])


def test_the_best_that_a_judge_found_was_no_tie() -> None:
    told = said(output(decided_by="judge", leaders=["a"], rule=BestOf(), judgements=[RANKING]))

    assert told.startswith("Decision: a\nWhich one?\nDecided by best of N: the answer that a judge ranks best")


@pytest.mark.parametrize(
    ("rule", "words"), [(SelfConsistency(), "No judge grouped the answers"), (BestOf(), "No judge has ranked")]
)
def test_a_judge_who_was_not_heard_is_told_of(rule: AnyRule, words: str) -> None:
    tally = [TallyLine(answer=answer, score=1, share=0.5, voters=[]) for answer in ("a", "b")]

    assert words in said(output(rule=rule, tally=tally))
    assert words not in said(output(rule=rule, tally=tally, judgements=[RANKING]))
    assert words not in said(output(rule=rule, tally=tally[:1]))
    assert "No judge" not in said(output(rule=Plurality(), tally=tally))


def test_the_overall_score_behind_a_fail_is_told() -> None:
    criteria = [CriterionScore(name="speed", score=5, minimum=1, maximum=9, deviation=1)]

    told = said(output(decision="fail", rule=PerCriterion(threshold=6), criteria=criteria, overall=5.25))

    assert "Overall score: 5.25." in told
