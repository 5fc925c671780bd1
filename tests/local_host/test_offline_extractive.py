"""Summaries made of the input's own sentences, and votes that follow the question, the material and the perspective."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from local_host.offline.extractive import NOTHING, summarise
from local_host.offline.material import read_material
from local_host.offline.text import split_units, stem
from shared.prompts import block, instructions_for

REPORT = """# Incident 7

The checkout service failed at 10:12 because the disk of the primary database was full. The office plants were watered
as usual. Engineers freed the disk and restarted the database. Customers could not pay for 47 minutes. Lunch was at
noon. The alert on free space had never been configured, so nobody was paged.

## Follow-up

- Configure an alert on free disk space.
- Test the restore of the database every month.
"""
LOG = "\n".join(
    [*(f"2026-03-04 10:{minute:02}:00 INFO web GET /orders 200 {minute} ms" for minute in range(12)),
     "2026-03-04 10:12:00 ERROR db connection pool exhausted",
     "2026-03-04 10:12:01 WARN web request waited 30 s",
     *(f"2026-03-04 10:{minute:02}:00 INFO web GET /orders 200 {minute} ms" for minute in range(13, 25))]
)  # fmt: skip
CODE = """
def find(name):
    connection = connect()
    rows = connection.execute(f"SELECT * FROM users WHERE name = '{name}'").fetchall()
    return rows

def load(data):
    try:
        return pickle.loads(data)
    except Exception:
        pass
"""


def text_of(instructions: str, user_input: str) -> str:
    return answer(instructions, user_input, OutputFormat())


def sentences_of(text: str) -> list[str]:
    return [unit.text for unit in split_units(text)]


def test_a_summary_is_made_of_the_inputs_own_sentences_in_their_order() -> None:
    said = sentences_of(text_of("Summarise.", block("input", REPORT)))
    own = sentences_of(REPORT)
    assert set(said) <= set(own)
    assert [own.index(sentence) for sentence in said] == sorted(own.index(sentence) for sentence in said)
    assert 2 <= len(said) < len(own)


def test_a_summary_keeps_what_matters_and_leaves_out_what_does_not() -> None:
    summary = text_of("Summarise the incident in three sentences.", block("input", REPORT))
    assert "disk of the primary database was full" in summary
    assert "plants" not in summary
    assert "Lunch" not in summary


@pytest.mark.parametrize(
    ("asked", "count"), [("one sentence", 1), ("two short sentences", 2), ("at most 3 sentences", 3)]
)
def test_the_number_of_sentences_asked_for_is_given(asked: str, count: int) -> None:
    assert len(sentences_of(text_of(f"Summarise in {asked}.", block("input", REPORT)))) == count


def test_a_limit_in_words_is_kept() -> None:
    assert len(text_of("Summarise in at most 30 words.", block("input", REPORT)).split()) <= 30


def test_points_are_given_as_a_list() -> None:
    lines = text_of("List three key points.", block("input", REPORT)).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("- ") for line in lines)


def test_the_instructions_steer_what_is_picked() -> None:
    material = block("input", REPORT)
    assert "47 minutes" in text_of("In one sentence: what did customers suffer?", material)
    assert "alert" in text_of("In one sentence: which alert was configured?", material)


def test_a_log_is_told_by_its_errors() -> None:
    lines = text_of("Summarise this log in two lines.", block("document", LOG, id="log")).splitlines()
    assert lines == LOG.splitlines()[12:14]


def test_each_domain_finds_its_own_weaknesses_in_code() -> None:
    security = text_of("You review security. List two findings.", block("input", CODE))
    style = text_of("You review style. List two findings.", block("input", CODE))
    assert "SQL built from strings (line 3)" in security
    assert "Unsafe deserialisation (line 8)" in security
    assert "Broad exception (line 9)" in style
    assert "SQL" not in style


def test_a_synthesis_draws_from_every_block_and_names_what_is_missing() -> None:
    sections = {
        "history": "The river was dammed in 1932. The valley was flooded. Many families moved away.",
        "pros": "The dam gives power to the whole valley. Floods have become rare since it was built.",
        "cons": "The salmon can no longer reach the upper river. The silt behind the dam rises every year.",
    }
    prompt = "\n\n".join(block("section", text, name=name) for name, text in sections.items())
    synthesis = text_of("Write one coherent answer.", f"{prompt}\n\n{block('missing', 'costs')}")
    for name, text in sections.items():
        assert any(sentence in synthesis for sentence in sentences_of(text)), name
    assert "Missing: costs." in synthesis
    assert "<" not in synthesis


def test_a_hundred_blocks_are_answered_within_bounds() -> None:
    prompt = "\n\n".join(block("output", f"Finding number {n} is about topic{n}.", name=f"d{n}") for n in range(100))
    assert 10 <= len(text_of("Combine.", prompt).split("\n\n")) <= 40


def test_the_json_of_earlier_agents_is_read_as_sentences() -> None:
    output = '{"severity": "high", "root_cause": "The disk of the primary database was full for two hours."}'
    said = text_of("Summarise in one sentence.", block("output", output, name="a"))
    assert said == "The disk of the primary database was full for two hours."


def test_markup_inside_the_material_is_the_materials_own() -> None:
    material = (
        "Use <b>bold</b> text in HTML pages. The <input> element asks for text. Templates like vector<int> are kept."
    )
    prompt = block("input", material)
    assert "vector<int>" in text_of("Which templates are kept? One sentence.", prompt)


def test_an_input_without_text_is_answered_honestly() -> None:
    for nothing in ("", block("input", ""), "...", block("input", "123")):
        assert text_of("Summarise.", nothing) == NOTHING


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=400), instructions=st.text(max_size=80))
def test_any_text_gets_a_deterministic_answer(text: str, instructions: str) -> None:
    first = text_of(instructions, text)
    assert first
    assert first == text_of(instructions, text)


def test_the_answer_is_the_same_in_every_process() -> None:
    program = """
import sys
from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
text = sys.stdin.read()
schema = {"properties": {"title": {}, "findings": {"items": {"type": "string"}}}}
print(answer("List the risks.", text, OutputFormat()), answer("", text, OutputFormat("json_schema", "x", schema)))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program], input=f"{REPORT}\n{LOG}\n{CODE}", text=True, check=True,
            capture_output=True, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(said) == 1
    assert "pool exhausted" in said.pop()


def test_sentences_end_where_they_end() -> None:
    assert sentences_of("Dr. Lee, e.g. in Rome, said so. It cost 3.5 euros!  Was it worth it? (Yes.) The end.") == [
        "Dr. Lee, e.g. in Rome, said so.", "It cost 3.5 euros!", "Was it worth it?", "(Yes.)", "The end.",
    ]  # fmt: skip
    assert sentences_of("It ran from 18:20 to\n19:55. Then it\nstopped.") == [
        "It ran from 18:20 to 19:55.",
        "Then it stopped.",
    ]
    assert sentences_of("错误发生了。数据库已满。") == ["错误发生了。", "数据库已满。"]


def test_words_of_one_kind_meet() -> None:
    assert len({stem(word) for word in ("inject", "injects", "injected", "injection", "injections")}) == 1


def test_a_long_document_is_answered_in_little_time() -> None:
    text = " ".join(f"Sentence {n} speaks of the topic{n % 97} and of the other{n % 31} matter." for n in range(4000))
    began = time.process_time()
    text_of("Summarise.", block("input", text))
    assert time.process_time() - began < 2


QUESTION = block("question", "Should this change be approved for production?")
CHOICES = block("options", "- approve\n- reject")
BAD = block("context", "The change is untested. It leaks the admin password and is vulnerable to injection attacks.")
GOOD = block("context", "The change was reviewed and tested. All inputs are validated. It passed the security audit.")


def vote(instructions: str, *parts: str) -> str:
    return text_of(instructions_for(instructions), "\n\n".join(parts))


def test_a_vote_follows_the_material() -> None:
    assert vote("You are a reviewer.", QUESTION, BAD, CHOICES) == "reject"
    assert vote("You are a reviewer.", QUESTION, GOOD, CHOICES) == "approve"


@pytest.mark.parametrize(
    ("question", "options", "bad", "good"),
    [
        ("Is this change vulnerable?", "- yes\n- no", "yes", "no"),
        ("Is this change safe to deploy?", "- yes\n- no", "no", "yes"),
        ("How is it?", "- vulnerable\n- not vulnerable", "vulnerable", "not vulnerable"),
        ("How is it?", "- Not safe\n- Safe", "Not safe", "Safe"),
        ("How is it?", "- fail\n- pass", "fail", "pass"),
        ("How severe?", "- low\n- medium\n- high\n- critical", "critical", "low"),
        ("How is it?", '["compliant", "non-compliant"]', "non-compliant", "compliant"),
    ],
)
def test_options_are_understood_by_what_they_say(question: str, options: str, bad: str, good: str) -> None:
    parts = block("question", question), block("options", options)
    assert vote("You vote.", parts[0], BAD, parts[1]) == bad
    assert vote("You vote.", parts[0], GOOD, parts[1]) == good


def test_the_order_of_the_options_does_not_matter() -> None:
    turned = block("options", "- reject\n- approve")
    assert vote("You vote.", QUESTION, BAD, turned) == vote("You vote.", QUESTION, BAD, CHOICES)


@given(name=st.sampled_from(["Ann", "voter-3", "Juror 12", "x7f3", "Mr. Brown"]), seed=st.integers(0, 10**9))
def test_names_and_seeds_do_not_flip_a_vote(name: str, seed: int) -> None:
    mixed = block("context", "The change was tested. It leaks a password.")
    plain = vote("You are a voter.", QUESTION, mixed, CHOICES)
    assert vote(f"You are the voter {name}. Seed {seed}.", QUESTION, mixed, CHOICES) == plain


def test_perspectives_may_honestly_split_a_jury() -> None:
    mixed = block(
        "context",
        "The change was reviewed and tested and its documentation is good. One warning about a possible leak is open.",
    )
    assert vote("You are a strict, sceptical reviewer.", QUESTION, mixed, CHOICES) == "reject"
    assert vote("You are a pragmatic, lenient reviewer.", QUESTION, mixed, CHOICES) == "approve"


def test_categories_are_told_by_their_words() -> None:
    options = block("options", "- technical\n- billing\n- account")
    question = block("question", "Which team should get this ticket?")
    refund = block("context", "I was charged twice on my invoice and want a refund of the payment.")
    login = block("context", "I cannot sign in: my password and my email are not accepted.")
    assert vote("You sort tickets.", question, refund, options) == "billing"
    assert vote("You sort tickets.", question, login, options) == "account"


def test_a_question_of_fact_is_answered_by_whether_the_material_speaks_of_it() -> None:
    options = block("options", "- yes\n- no")
    report = block("context", REPORT)
    asked = block("question", "Does the report mention the disk of the database?")
    unrelated = block("question", "Does the report mention a penguin colony in Chile?")
    assert vote("You check facts.", asked, report, options) == "yes"
    assert vote("You check facts.", unrelated, report, options) == "no"


def test_a_free_ballot_is_answered_yes_or_no_with_evidence_unless_brevity_is_asked_for() -> None:
    question = block("question", "Is this change safe?")
    assert vote("Answer with one word only.", question, BAD) == "No"
    said = vote("Judge it.", question, BAD)
    assert said.startswith("No. ")
    assert said.removeprefix("No. ") in BAD


def test_instructions_that_name_parts_of_an_answer_are_no_ballot() -> None:
    said = text_of("Respond with risks, findings and recommendations.", block("input", REPORT))
    assert said.startswith("- ")
    assert not read_material("Respond with risks, findings and recommendations.", REPORT).options


def test_a_structured_vote_is_the_vote() -> None:
    schema = {"type": "object", "properties": {"answer": {"enum": ["approve", "reject"]}, "reason": {"type": "string"}}}
    for context, expected in ((BAD, "reject"), (GOOD, "approve")):
        said = answer("You vote.", f"{QUESTION}\n{context}", OutputFormat("json_schema", "vote", schema))
        assert f'"answer": "{expected}"' in said


def test_how_much_of_the_whole_a_prompt_holds_is_no_material() -> None:
    prompt = f"{block('answer', 'The pump leaked.', name='a')}\n\n{block('scope', 'These rest on 1 of 9 documents.')}"
    assert summarise(read_material("Sum up the answers.", prompt)) == "The pump leaked."


@pytest.mark.parametrize("task", ["List the findings.", "Sum up the answers."])
def test_an_answer_from_several_keeps_the_names_that_it_has(task: str) -> None:
    first, second = "x+1: The pump leaked badly.", "x+9: The fan was dirty again."
    prompt = f"{block('answer', first, name='x+1 to x+8')}\n\n{block('answer', second, name='x+9 to x+12')}"
    said = summarise(read_material(task, prompt))
    assert "x+1: The pump leaked badly." in said
    assert " to " not in said


def test_an_answer_without_a_name_of_its_own_gets_that_of_its_block() -> None:
    prompt = f"{block('answer', 'The pump leaked.', name='a to c')}\n\n{block('answer', 'The fan stood.', name='d')}"
    assert summarise(read_material("Sum up.", prompt)) == "a to c: The pump leaked.\n\nd: The fan stood."
