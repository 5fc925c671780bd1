from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.base import MAX_INSTRUCTIONS_CHARS, MAX_NAME_CHARS, MAX_TEXT_CHARS
from shared.contracts.sectioning import MAX_SECTIONS, Section, SectioningRequest
from tests.shared.contracts.rejection import accepted, changed, rejection

MINIMAL: dict[str, Any] = {"input": "a text", "sections": [{"name": "tone", "instructions": "judge the tone"}]}
AGENT = {"instructions": "judge"}


def test_a_minimal_body_works_with_defaults() -> None:
    request = accepted(SectioningRequest, MINIMAL)

    assert request.aggregation == "synthesize"
    assert request.synthesizer is None
    assert request.policy.attempts == 3
    assert request.sections[0].spec(request.defaults).name == "tone"


@pytest.mark.parametrize(
    ("path", "value", "where", "why"),
    [
        ("surprise", 1, "surprise", "Extra inputs"),
        ("sections.0.surprise", 1, "sections.0.surprise", "Extra inputs"),
        ("policy", {"surprise": 1}, "policy.surprise", "Extra inputs"),
        ("defaults", {"surprise": 1}, "defaults.surprise", "Extra inputs"),
        ("synthesizer", {**AGENT, "surprise": 1}, "synthesizer.surprise", "Extra inputs"),
        ("input", 3, "input", "valid string"),
        ("input", None, "input", "valid string"),
        ("input", "", "input", "at least 1"),
        ("input", " \n\t", "input", "match pattern"),
        ("input", "x" * (MAX_TEXT_CHARS + 1), "input", "at most"),
        ("sections", {}, "sections", "valid array"),
        ("sections", [], "sections", "at least 1"),
        ("sections", [MINIMAL["sections"][0]] * (MAX_SECTIONS + 1), "sections", "at most"),
        ("sections.0.instructions", " ", "sections.0.instructions", "match pattern"),
        ("sections.0.instructions", "x" * (MAX_INSTRUCTIONS_CHARS + 1), "sections.0.instructions", "at most"),
        ("sections.0.input", "", "sections.0.input", "at least 1"),
        ("aggregation", "average", "aggregation", "'synthesize', 'concatenate' or 'merge'"),
        ("aggregation", None, "aggregation", "'synthesize'"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected_by_its_path(path: str, value: Any, where: str, why: str) -> None:
    [(location, message)] = rejection(SectioningRequest, changed(MINIMAL, path, value))

    assert location == where
    assert why in message


UNSAFE_NAMES = ["", " ", "a b", "a/b", "a:b", "~a", ".a", "-a", "a\n", "\na", "é", "a?b", "a#b", "a%20b", "a\u0000"]


@pytest.mark.parametrize("name", [*UNSAFE_NAMES, "a" * (MAX_NAME_CHARS + 1), 7, None])
def test_a_name_that_is_unsafe_in_ids_and_urls_is_rejected(name: Any) -> None:
    [(location, _)] = rejection(SectioningRequest, changed(MINIMAL, "sections.0.name", name))

    assert location == "sections.0.name"


@pytest.mark.parametrize("name", ["a", "0", "A.b-c_d", "a" * MAX_NAME_CHARS])
def test_a_name_of_plain_characters_is_accepted(name: str) -> None:
    assert accepted(SectioningRequest, changed(MINIMAL, "sections.0.name", name)).sections[0].name == name


@pytest.mark.parametrize(
    "body",
    [{"name": "a"}, {"name": "a", "instructions": "i", "agent": AGENT}, {"name": "a", "instructions": None}],
    ids=["neither", "both", "null"],
)
def test_a_section_has_either_instructions_or_an_agent(body: Any) -> None:
    [(_, message)] = rejection(Section, body)

    assert "either 'instructions' or an 'agent'" in message


def test_section_names_must_differ() -> None:
    section = MINIMAL["sections"][0]

    [(_, message)] = rejection(SectioningRequest, {"input": "x", "sections": [section, {**section, "input": "other"}]})

    assert "repeated: tone" in message


@pytest.mark.parametrize("aggregation", ["concatenate", "merge"])
def test_a_synthesizer_needs_a_synthesis(aggregation: str) -> None:
    [(_, message)] = rejection(SectioningRequest, {**MINIMAL, "aggregation": aggregation, "synthesizer": AGENT})

    assert f"no use with aggregation '{aggregation}'" in message


def test_a_policy_that_the_number_of_sections_contradicts_is_rejected() -> None:
    [(_, message)] = rejection(SectioningRequest, {**MINIMAL, "policy": {"min_successful": 2}})

    assert "min_successful is 2, but the run has only 1 branch;" in message


def test_a_section_s_agent_keeps_its_own_settings_and_takes_the_rest_from_the_defaults() -> None:
    section = {"name": "a", "agent": {"name": "own", "instructions": "i", "temperature": 0}}
    defaults = {"model": "m", "temperature": 1, "max_output_tokens": 100}
    request = accepted(SectioningRequest, {"input": "x", "sections": [section], "defaults": defaults})

    spec = request.sections[0].spec(request.defaults)

    assert (spec.name, spec.model, spec.temperature, spec.max_output_tokens) == ("own", "m", 0, 100)
