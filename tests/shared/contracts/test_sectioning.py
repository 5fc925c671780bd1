from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.base import MAX_INSTRUCTIONS_CHARS, MAX_NAME_CHARS, MAX_TEXT_CHARS, restored
from shared.contracts.sectioning import MAX_AGENTS, MAX_SECTIONS, Section, SectioningRequest
from shared.contracts.voting import VotingRequest
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


# A section that is decided by a vote

VOTE: dict[str, Any] = {"question": "Is it safe?", "voters": 3, "ballot": {"type": "boolean"}}


def voted(*votes: Any, **fields: Any) -> dict[str, Any]:
    """A request with a plain section and one for each of `votes`."""
    sections = [{"name": f"vote{number}", "vote": vote} for number, vote in enumerate(votes, start=1)]
    return {"input": "a text", "sections": [*MINIMAL["sections"], *sections], **fields}


def test_a_section_may_be_decided_by_a_vote_of_its_own_input_or_the_request_s() -> None:
    body = changed(voted(VOTE, VOTE, defaults={"model": "m"}), "sections.2.input", "own")
    request = accepted(SectioningRequest, body)

    shared, own = request.votes.values()

    assert list(request.votes) == ["vote1", "vote2"]
    assert shared == accepted(VotingRequest, {**VOTE, "context": "a text", "defaults": {"model": "m"}})
    assert own.context == "own"
    assert restored(SectioningRequest, request.model_dump(mode="json")) == request


@pytest.mark.parametrize("other", [{"instructions": "i"}, {"agent": AGENT}, {"instructions": "i", "agent": AGENT}])
def test_a_section_with_a_vote_has_no_agent_beside_it(other: dict[str, Any]) -> None:
    [(_, message)] = rejection(Section, {"name": "a", "vote": VOTE, **other})

    assert "or a 'vote' in their place" in message


@pytest.mark.parametrize("field", ["context", "defaults", "policy", "callback_url"])
def test_what_a_run_has_for_all_its_sections_no_vote_has_for_itself(field: str) -> None:
    value = {} if field in {"defaults", "policy"} else "x"

    [(location, message)] = rejection(SectioningRequest, voted({**VOTE, field: value}))

    assert location == f"sections.1.vote.{field}"
    assert "Extra inputs" in message


def test_a_vote_in_a_section_must_make_sense_as_one_by_itself_must() -> None:
    [(location, message)] = rejection(SectioningRequest, voted({**VOTE, "rule": "median"}))

    assert location == "sections.1.vote"
    assert "'median' needs another ballot" in message


def test_the_policy_counts_each_voter() -> None:
    assert accepted(SectioningRequest, voted(VOTE, policy={"min_successful": 4})).policy.min_successful == 4

    [(_, message)] = rejection(SectioningRequest, voted(VOTE, policy={"min_successful": 5}))

    assert "min_successful is 5, but the run has only 4 branches" in message


def test_the_agents_of_all_sections_are_bounded() -> None:
    votes = [{**VOTE, "voters": 200}] * (MAX_AGENTS // 200)

    [(_, message)] = rejection(SectioningRequest, voted(*votes))

    assert message.startswith("the sections take up to 1,001 agents")
    assert accepted(SectioningRequest, voted(*votes[1:]))


def test_the_material_of_voters_is_counted_for_each() -> None:
    [(_, message)] = rejection(SectioningRequest, voted({**VOTE, "voters": 40}, input="x" * 100_000))

    assert "4,100,440 characters together" in message


@pytest.mark.parametrize(
    ("section", "voters", "told"),
    [
        ("s" * 46, 3, "the name of a section with a vote has at most 45 characters"),
        ("s" * 30, [{"name": "v" * 30}], "which is 61 characters"),
        ("s" * 34, {"max": 3, "perspectives": "content_appropriateness"}, None),
        ("s" * 45, {"max": 9}, None),
        ("s" * 30, [{"name": "v" * 29}], None),
    ],
)
def test_a_section_and_its_voters_have_names_that_fit_together(section: str, voters: Any, told: str | None) -> None:
    body = changed(voted({**VOTE, "voters": voters}), "sections.1.name", section)
    if told is None:
        assert accepted(SectioningRequest, body)
        return

    [(_, message)] = rejection(SectioningRequest, body)

    assert told in message


def test_a_request_without_a_vote_is_written_as_it_was_before_there_were_any() -> None:
    written = accepted(SectioningRequest, MINIMAL).model_dump(mode="json")

    assert list(written["sections"][0]) == ["name", "instructions", "agent", "input"]
