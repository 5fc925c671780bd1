from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.decision import (
    CastBallot,
    CriterionScore,
    Dissent,
    HonestConfidence,
    Interval,
    Judgement,
    Round,
    StopReport,
    TallyLine,
    VotingOutput,
    WaveTally,
)
from shared.contracts.jury import StopConfident, StopDecided, StopFixed
from shared.contracts.rules import (
    Approval,
    BestOf,
    Condorcet,
    InstantRunoff,
    Majority,
    Median,
    PerCriterion,
    Plurality,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
)
from shared.voting.markdown import MAX_HEADING_CHARS, MAX_ROUNDS, MAX_ROWS, markdown_of
from tests.shared.voting.rendering import rows_of, structure, text_of

NO_FIGURES = HonestConfidence(
    agreement=None, margin=None, effective_voters=None, lead_probability=None, unchanged_probability=None, stated=None
)


def output(**fields: Any) -> VotingOutput:
    """Five voters, of whom three voted for a and two for b."""
    stop = StopReport(rule=StopFixed(), reason="all_asked", asked=5, saved=0, waves=[])
    counts: dict[str, Any] = {"asked": 5, "counted": 5, "abstained": 0, "invalid": 0, "failed": 0}
    usual = {"outcome": "decided", "decision": "a", "decided_by": "rule", "rule": Majority(), "confidence": NO_FIGURES}
    return VotingOutput(**{**usual, "stop": stop, **counts, **fields})


def everything_says(text: str) -> VotingOutput:
    """An output with `text` wherever a caller or a model may have written it."""
    return output(
        decision=text,
        rule=Veto(answer="veto"),
        tally=[TallyLine(answer=text, score=3, share=0.6, voters=["v1"])],
        criteria=[CriterionScore(name=text, score=3, minimum=1, maximum=5, deviation=0.5)],
        dissent=Dissent(answer=text, voters=["v2"], share=0.4, voter="v2", reasoning=text, confidence=0.5),
        judgements=[
            Judgement(task="grouping", shown=["v1"], groups=[[text], ["v1"]], reasoning=text),
            Judgement(task="ranking", shown=[text, "b"], ranking=[text, "b"], reasoning=text),
        ],
        ballots=[
            CastBallot(voter="v1", wave=1, status="counted", answer=text, confidence=1, reasoning=text),
            CastBallot(voter="v2", wave=1, status="counted", answer=[text], confidence=1, reasoning=text),
            CastBallot(voter="v3", wave=1, status="counted", answer={text: 1.0}, confidence=1, reasoning=text),
            CastBallot(voter="v4", wave=1, status="invalid", why=text),
        ],
    )


def said(told: VotingOutput, question: str = "Which one?") -> str:
    return text_of(markdown_of(question, told))


# The decision


def test_a_decision_is_the_heading_with_the_question_and_the_rule_under_it() -> None:
    markdown = markdown_of("Which one?", output())
    assert markdown.startswith("# Decision: a\n\n> Which one?\n\nDecided by majority: more than half of the votes")


@pytest.mark.parametrize(("decision", "words"), [(True, "yes"), (False, "no"), (1234.50, "1,234.5"), ("pass", "pass")])
def test_decisions_are_told_as_a_person_would(decision: Any, words: str) -> None:
    assert markdown_of("q", output(decision=decision)).startswith(f"# Decision: {words}\n")


@pytest.mark.parametrize(
    ("breaker", "words"), [("first", "the order of the answers"), ("judge", "the judge"), ("chair", "the chair's vote")]
)
def test_a_broken_tie_says_what_broke_it(breaker: str, words: str) -> None:
    told = said(output(decided_by=breaker, leaders=["a", "b"], rule=Plurality()))
    assert f"The count was a tie of a, b, which {words} broke. The rule: plurality: the answer with the most" in told


def test_a_tie_names_those_who_share_the_lead() -> None:
    told = said(output(outcome="tie", decision=None, decided_by=None, leaders=["a", True]))
    assert told.startswith("Tie\nWhich one?\nThese share the lead: a, yes. The rule: majority")


def test_no_consensus_names_the_rule_that_was_not_met_and_who_is_in_front() -> None:
    told = said(output(outcome="no_consensus", decision=None, decided_by=None, leaders=["a"], rule=Unanimous()))
    assert told.startswith("No consensus\nWhich one?\nNo answer met the rule (unanimity: the answer that every")
    assert "In front: a." in told


def test_without_votes_the_report_says_so() -> None:
    told = said(output(outcome="no_votes", decision=None, decided_by=None, counted=0, failed=5))
    assert told.startswith("No votes\nWhich one?\nNobody cast a vote that could be counted.")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Supermajority(), "at least 66.7 % of the votes counted"),
        (Veto(answer=False), 'veto: "no" as soon as one voter gives it'),
        (Veto(answer="block", count=3), 'veto: "block" as soon as 3 voters give it'),
        (Weighted(), "each vote counts its voter's weight."),
        (Weighted(by="both", threshold=0.5), "weight times confidence, and at least 50 % of it is needed."),
        (Approval(), "most voters approve of"),
        (Condorcet(), "a cycle is resolved by the Schulze method"),
        (Condorcet(completion="none"), "a cycle leaves it undecided"),
        (TrimmedMean(trim=0.2), "without the outer 20 % of the numbers at either end"),
        (PerCriterion(statistic="median"), "the weighted mean of each criterion's median."),
        (PerCriterion(threshold=3.5), "the weighted mean of each criterion's mean; it passes from 3.5 up."),
    ],
)
def test_a_rule_is_told_with_its_parameters(rule: Any, words: str) -> None:
    assert words in said(output(rule=rule))


def test_a_long_decision_is_cut_in_the_heading_and_told_below() -> None:
    long = "word " * 60 + "end"
    heading, *rest = said(output(decision=long)).split("\n")
    assert len(heading) == len("Decision: ") + MAX_HEADING_CHARS
    assert long in rest


# The count


def test_the_tally_is_a_table_of_what_the_rule_counts() -> None:
    lines = [
        TallyLine(answer="a", score=3, share=0.6, voters=["v1", "v2"]),
        TallyLine(answer=False, score=2.5, share=0.4, voters=[]),
    ]
    assert rows_of(markdown_of("q", output(tally=lines)), "Tally") == [
        ["Answer", "Votes", "Share", "Voters"],
        ["a", "3", "60 %", "v1, v2"],
        ["no", "2.5", "40 %", ""],
    ]
    weighted = markdown_of("q", output(tally=lines, rule=Weighted()))
    assert rows_of(weighted, "Tally")[0][1] == "Weight"


def test_many_voters_of_an_answer_are_counted_after_the_first_ten() -> None:
    line = TallyLine(answer="a", score=12, share=1, voters=[f"v{number}" for number in range(12)])
    assert rows_of(markdown_of("q", output(tally=[line])), "Tally")[1][3].endswith("v8, v9 and 2 more")


def test_a_count_by_rounds_shows_each_round_and_who_left_after_it() -> None:
    rounds = [
        Round(scores={"a": 4, "b": 3, "c": 2}, eliminated=["c"]),
        Round(scores={"b": 5, "a": 4}),
    ]
    markdown = markdown_of("q", output(rule=InstantRunoff(), rounds=rounds))
    assert rows_of(markdown, "Tally by round") == [
        ["Option", "Round 1", "Round 2"],
        ["b", "3", "5"],
        ["a", "4", "4"],
        ["c", "2 (out)", ""],
    ]


def test_of_many_rounds_the_last_are_shown() -> None:
    rounds = [Round(scores={"a": place, "b": 1}) for place in range(MAX_ROUNDS + 3)]
    markdown = markdown_of("q", output(rule=InstantRunoff(), rounds=rounds))
    header = rows_of(markdown, "Tally by round")[0]
    assert (header[1], header[-1]) == ("Round 4", f"Round {MAX_ROUNDS + 3}")
    assert "3 rounds before these left out." in text_of(markdown)


def test_a_number_comes_with_its_interval_or_says_why_it_has_none() -> None:
    interval = Interval(low=3, high=4.25, level=0.95, method="order_statistics")
    assert "3 to 4.25 at 95 % confidence, by order statistics" in said(
        output(decision=4.0, rule=Median(), interval=interval)
    )
    assert "too few votes for an interval" in said(output(decision=4.0, rule=Median()))
    assert "interval" not in said(output())


def test_scores_come_with_their_criteria() -> None:
    line = CriterionScore(name="style", score=3.25, minimum=1, maximum=5, deviation=0.12345)
    markdown = markdown_of("q", output(decision="pass", rule=PerCriterion(threshold=3), criteria=[line]))
    assert rows_of(markdown, "Criteria")[1] == ["style", "3.25", "1", "5", "0.1235"]


def test_the_turnout_tells_where_every_voter_went() -> None:
    stop = StopReport(
        rule=StopConfident(level=0.9),
        reason="confident",
        asked=9,
        saved=11,
        waves=[WaveTally(asked=5, counted=5, leaders=[]), WaveTally(asked=4, counted=2, leaders=[])],
    )
    markdown = markdown_of("q", output(asked=9, counted=5, abstained=2, invalid=1, failed=1, stop=stop))
    assert rows_of(markdown, "Turnout")[1] == ["9", "5", "2", "1", "1", "11"]
    assert "the same answer in front, with at least 90 % probability (after 2 waves)." in text_of(markdown)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("all_asked", "All voters were asked (after 1 wave)."),
        ("decided", "could no longer change the decision (after 1 wave)."),
        ("interrupted", "was ended before the vote was complete"),
    ],
)
def test_the_report_says_why_no_more_voters_were_asked(reason: Any, words: str) -> None:
    wave = WaveTally(asked=5, counted=5, leaders=["a"])
    stop = StopReport(rule=StopDecided(), reason=reason, asked=5, saved=0, waves=[wave])
    assert words in said(output(stop=stop))


# What it is worth


def test_figures_that_are_known_are_told_with_what_they_mean_and_always_the_caution() -> None:
    figures = HonestConfidence(
        agreement=0.754,
        margin=0.2,
        effective_voters=2.83,
        lead_probability=0.9999,
        unchanged_probability=1,
        stated=None,
    )
    markdown = markdown_of("q", output(confidence=figures))
    assert [row[:2] for row in rows_of(markdown, "Confidence")[1:]] == [
        ["Agreement", "0.75"],
        ["Margin", "20 %"],
        ["Effective voters", "2.8 of 5"],
        ["Lead", "over 99.9 %"],
        ["Unchanged", "100 %"],
    ]
    assert "Caution: Agreement is not verification" in text_of(markdown)
    assert "Caution: Agreement is not verification" in said(output())


def test_the_minority_is_heard_in_its_own_words() -> None:
    dissent = Dissent(
        answer="b", voters=["v4", "v5"], share=0.4, voter="v5", reasoning="It leaks.\nBadly.", confidence=0.9
    )
    markdown = markdown_of("q", output(dissent=dissent))
    assert "b: 2 voters (40 % of the votes): v4, v5." in text_of(markdown)
    assert "> It leaks. Badly.\n>\n> — v5, 90 % confident" in markdown
    assert "(40 % of the weight)" in said(output(dissent=dissent, rule=Weighted()))


def test_voters_who_approve_of_nothing_are_a_minority_too() -> None:
    dissent = Dissent(answer=None, voters=["v4"], share=0.2, voter="v4", reasoning="", confidence=1)
    told = said(output(dissent=dissent, rule=Approval()))
    assert "None of the answers: 1 voter (20 % of the votes): v4." in told
    assert "(no reasoning given)" in told


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (["v1", "v2", "v3"], "alike in both orders"),
        (["v1", "v3", "v2"], "the ranks below it differ"),
        (["v3", "v1", "v2"], "position has had its part"),
    ],
)
def test_the_judge_s_two_orders_are_compared(second: list[str], words: str) -> None:
    names = ["v1", "v2", "v3"]
    judgements = [
        Judgement(task="ranking", shown=names, ranking=names),
        Judgement(task="ranking", shown=names[::-1], ranking=second),
    ]
    markdown = markdown_of("q", output(rule=BestOf(), judgements=judgements))
    assert words in text_of(markdown)
    assert rows_of(markdown, "Judge")[1][:3] == ["ranking", "v1, v2, v3", "v1 > v2 > v3"]


def test_one_ranking_is_compared_with_nothing() -> None:
    judgement = Judgement(task="ranking", shown=["v1", "v2"], ranking=["v2", "v1"])
    told = said(output(judgements=[judgement]))
    assert "v2 > v1" in told
    assert "both orders" not in told


def test_a_judge_s_groups_are_told_apart() -> None:
    judgement = Judgement(task="grouping", shown=["v1", "v2", "v3"], groups=[["v1", "v3"], ["v2"]])
    assert rows_of(markdown_of("q", output(judgements=[judgement])), "Judge")[1][2] == "v1, v3 / v2"


def test_ballots_are_told_with_the_first_sentence_of_their_reasoning() -> None:
    ballots = [
        CastBallot(
            voter="v1", wave=1, status="counted", answer="a", confidence=0.8, reasoning="Safe, e.g. here. And so on."
        ),
        CastBallot(voter="v2", wave=1, status="abstained", why="no evidence"),
        CastBallot(voter="v3", wave=2, status="failed"),
    ]
    assert rows_of(markdown_of("q", output(ballots=ballots)), "Ballots")[1:] == [
        ["v1", "a", "80 %", "Safe, e.g. here."],
        ["v2", "abstained: no evidence", "", ""],
        ["v3", "failed", "", ""],
    ]


@pytest.mark.parametrize(
    ("rule", "answer", "words"),
    [
        (Condorcet(), ["a", "b"], "a > b"),
        (Approval(), ["a", "b"], "a, b"),
        (Approval(), [], "none"),
        (PerCriterion(), {"style": 4, "depth": 2.5}, "style: 4, depth: 2.5"),
        (Median(), 1e-7, "1e-07"),
        (Majority(), True, "yes"),
    ],
)
def test_votes_of_every_shape_are_told(rule: Any, answer: Any, words: str) -> None:
    ballot = CastBallot(voter="v1", wave=1, status="counted", answer=answer, confidence=1)
    assert rows_of(markdown_of("q", output(rule=rule, ballots=[ballot])), "Ballots")[1][1] == words


def test_ballots_beyond_the_limit_are_counted_alone() -> None:
    ballots = [CastBallot(voter=f"v{number}", wave=1, status="failed") for number in range(MAX_ROWS + 2)]
    markdown = markdown_of("q", output(ballots=ballots))
    assert len(rows_of(markdown, "Ballots")) == 1 + MAX_ROWS
    assert "and 2 more ballots" in text_of(markdown)
    assert "more ballot" not in said(output(ballots=ballots[:MAX_ROWS]))


# Attacks


@pytest.mark.parametrize(
    "attack",
    [
        "a | b | c",
        "a\n\n# Decision: hacked\n\n![](http://evil.example/x.png)",
        "<img src=x onerror=alert(1)>",
        "`|`\\|",
        "---",
        "\u202e|",
        "[x](javascript:alert(1)) @everyone",
    ],
)
def test_no_text_of_a_caller_or_a_model_changes_the_report(attack: str) -> None:
    assert structure(markdown_of(attack, everything_says(attack))) == structure(
        markdown_of("word", everything_says("word"))
    )


@given(st.text(alphabet=st.sampled_from("|\\`*_~[]()!#<>&$-+=.:/@1a \n\r\t\u2028\u202e"), max_size=30))
def test_no_text_whatever_changes_the_report(text: str) -> None:
    attack = f"x{text}"
    assert structure(markdown_of(attack, everything_says(attack))) == structure(
        markdown_of("word", everything_says("word"))
    )


def test_a_veto_s_answer_is_escaped() -> None:
    told = markdown_of("q", output(rule=Veto(answer="![x](http://evil.example)")))
    assert structure(told) == structure(markdown_of("q", output(rule=Veto(answer="word"))))


def test_the_names_of_options_cannot_change_the_table_of_rounds() -> None:
    def told(option: str) -> str:
        rounds = [Round(scores={"a": 1, option: 2}, eliminated=[option]), Round(scores={"a": 3})]
        return markdown_of("q", output(rule=InstantRunoff(), rounds=rounds))

    assert structure(told("x | y\n| z")) == structure(told("word"))


def test_a_text_of_nothing_that_can_be_seen_is_shown_as_blank() -> None:
    assert markdown_of("q", output(decision="\u200b \u202e")).startswith("# Decision: (blank)\n")


def test_the_output_s_own_report_is_not_read() -> None:
    assert markdown_of("q", output(markdown="# Old")) == markdown_of("q", output())


def test_huge_texts_make_no_huge_report() -> None:
    assert len(markdown_of("|" * 100_000, everything_says("|" * 20_000))) < 100_000
