from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.agent import AgentSpec
from shared.token_estimate import USUAL_OUTPUT_TOKENS, estimated_input_tokens, estimated_output_tokens
from shared.tokens import estimated_tokens

AGENT = AgentSpec(instructions="Summarise the document in two sentences.")
TEXTS = [
    (
        "The committee met on Tuesday to discuss the proposal. Several members asked for more time, because the "
        "figures had reached them only the evening before. The vote was put off by a week.",
        37,
    ),
    (
        "Der Ausschuss traf sich am Dienstag, um den Vorschlag zu besprechen. Mehrere Mitglieder baten um mehr Zeit, "
        "weil sie die Zahlen erst am Abend zuvor erhalten hatten.",
        35,
    ),
    ("委员会于星期二开会讨论了这项提案。几位成员要求更多时间，因为他们前一天晚上才拿到数据。", 29),
]
"""Each with its number of tokens by the tokenizer `o200k_base`."""


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("é" * 4, 2), ("日本語で", 3), ("🙂", 1)]
)
def test_four_bytes_are_a_token_and_a_rest_is_one_too(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


@pytest.mark.parametrize(("text", "tokens"), TEXTS, ids=["English", "German", "Chinese"])
def test_prose_is_estimated_within_a_third(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == pytest.approx(tokens, rel=1 / 3)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_longer_text_never_has_fewer_tokens(first: str, second: str) -> None:
    together = estimated_tokens(first + second)

    assert together >= max(estimated_tokens(first), estimated_tokens(second))
    assert together <= estimated_tokens(first) + estimated_tokens(second)


def test_a_lone_surrogate_is_counted_and_no_error() -> None:
    assert estimated_tokens("\ud800") == 1


def test_a_call_s_input_is_its_instructions_and_its_prompt() -> None:
    short = estimated_input_tokens(AGENT, "")

    assert short > estimated_tokens(AGENT.instructions), "the notice about data counts too"
    assert estimated_input_tokens(AGENT, "x" * 4_000) == short + 1_000


def test_a_schema_is_part_of_the_input() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": "d" * 400}}}
    shaped = AgentSpec(instructions=AGENT.instructions, output_schema=schema)

    assert estimated_input_tokens(shaped, "x") > estimated_input_tokens(AGENT, "x") + 100


def test_an_answer_is_as_long_as_usual() -> None:
    assert estimated_output_tokens(AGENT) == USUAL_OUTPUT_TOKENS
    assert estimated_output_tokens(AGENT, usual_tokens=80) == 80


def test_an_answer_is_never_longer_than_its_agent_may_write() -> None:
    terse = AgentSpec(instructions="i", max_output_tokens=100)

    assert estimated_output_tokens(terse) == 100
    assert estimated_output_tokens(terse, usual_tokens=80) == 80
