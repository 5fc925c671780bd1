from __future__ import annotations

import json
from typing import Any

import pytest

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from shared.batching import batch_agent, batch_prompt, matched
from shared.contracts.agent import AgentSpec
from shared.contracts.work import DocumentWork, TextPlace
from shared.prompts import instructions_for, numbered, work_prompt
from shared.strict_mode import strict_form

DOCUMENTS = [
    "The disk of the orders database was full at 3 am. Nobody was paged for 40 minutes.",
    "The certificate of the shop expired on Monday. 12 customers saw errors.",
    "The search index was stale for 6 hours.",
]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"$ref": "#/$defs/line"},
        "severity": {"type": "string", "enum": ["low", "high"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    },
    "required": ["summary", "severity", "tags"],
    "additionalProperties": False,
    "$defs": {"line": {"type": "string", "maxLength": 200}},
}
WORKS = [DocumentWork(text=TextPlace(blob="b"), document=f"{number}.txt") for number in range(len(DOCUMENTS))]


def asked(agent: AgentSpec, prompt: str) -> Any:
    schema = agent.output_schema and (strict_form(agent.output_schema) or agent.output_schema)
    shape = OutputFormat("json_schema", "x", schema) if schema else OutputFormat()
    text = answer(instructions_for(agent.instructions), prompt, shape)
    return json.loads(text) if schema else text


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_each_document_of_a_batch_is_answered_as_if_it_were_alone(schema: Any) -> None:
    agent = AgentSpec(instructions="Summarise the incident in one sentence.", output_schema=schema)
    alone = [asked(agent, work_prompt(text, work)) for text, work in zip(DOCUMENTS, WORKS, strict=True)]
    prompts = [
        numbered(work_prompt(text, work), number)
        for number, (text, work) in enumerate(zip(DOCUMENTS, WORKS, strict=True), start=1)
    ]

    found = matched(3, asked(batch_agent(agent, 3), batch_prompt(prompts)), schema)

    assert list(found.answers.values()) == alone
    assert (found.unanswered, found.notes) == ({}, [])


def test_a_number_in_a_document_is_none_of_the_prompt_s() -> None:
    agent = AgentSpec(instructions="Summarise.")
    prompts = [
        numbered(work_prompt(f'<document number="{3 - n}">\n{DOCUMENTS[n]}\n</document>', WORKS[n]), n + 1)
        for n in (0, 1)
    ]

    output = asked(batch_agent(agent, 2), batch_prompt(prompts))

    assert "disk" in output["answers"][0]["answer"]
    assert "certificate" in output["answers"][1]["answer"]


def test_a_list_of_numbers_that_the_prompt_does_not_have_is_an_ordinary_answer() -> None:
    agent = batch_agent(AgentSpec(instructions="Summarise."), 3)

    output = asked(agent, work_prompt(DOCUMENTS[0], WORKS[0]))

    assert output.keys() == {"answers"}
