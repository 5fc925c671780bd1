"""What the property-based tests draw from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda text: bool(text.strip())
)

LEAVES = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | TEXTS


def containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from("abcd")
    return st.lists(children, max_size=3) | st.dictionaries(keys, children, max_size=3)


JSON_VALUES = st.recursive(LEAVES, containers, max_leaves=8)
JSON_OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON_VALUES, max_size=4)

SCHEMAS = st.dictionaries(
    NAMES,
    st.sampled_from([{"type": "string"}, {"type": "array", "items": {"type": "number"}}, {"enum": [1, None, "a"]}]),
    max_size=3,
).map(lambda properties: {"type": "object", "properties": properties})


def optional(required: dict[str, Any], **others: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=others)


AGENTS = optional(
    {"instructions": TEXTS},
    name=NAMES,
    model=st.sampled_from(["gpt-5-mini", "org/model:2024@v1"]),
    temperature=st.floats(0, 2) | st.integers(0, 2),
    max_output_tokens=st.integers(16, 200_000),
    output_schema=SCHEMAS,
)
DEFAULTS = optional({}, model=st.just("gpt-5"), temperature=st.floats(0, 2))
POLICIES = optional(
    {},
    max_concurrency=st.integers(1, 1000),
    attempts=st.integers(1, 10),
    branch_timeout_s=st.floats(1, 100),
    deadline_s=st.floats(100, 86_400),
    min_successful=st.just(1),
    tolerated_failure_count=st.integers(0, 2**70),
    tolerated_failure_percentage=st.floats(0, 100),
    hedge_after_s=st.floats(0.1, 0.9),
    max_total_tokens=st.integers(1, 2**70),
)

SECTIONS = optional({"name": NAMES, "instructions": TEXTS}, input=TEXTS) | optional(
    {"name": NAMES, "agent": AGENTS}, input=TEXTS
)
SECTIONING_REQUESTS = optional(
    {"input": TEXTS, "sections": st.lists(SECTIONS, min_size=1, max_size=4, unique_by=lambda section: section["name"])},
    aggregation=st.sampled_from(["synthesize", "concatenate", "merge"]),
    defaults=DEFAULTS,
    policy=POLICIES,
)

VOTERS = AGENTS.map(lambda agent: {field: value for field, value in agent.items() if field != "output_schema"})
VOTING_REQUESTS = optional(
    {"question": TEXTS},
    context=TEXTS,
    voters=st.integers(1, 200)
    | st.lists(st.tuples(NAMES, VOTERS), min_size=1, max_size=4, unique_by=lambda pair: pair[0]).map(
        lambda pairs: [{**agent, "name": name} for name, agent in pairs]
    ),
    ballot=st.sampled_from([{"type": "free"}, {"type": "choice", "options": ["Yes", "No"]}]),
    defaults=DEFAULTS,
    policy=POLICIES,
)

DOCUMENTS = st.fixed_dictionaries({"id": NAMES, "content": TEXTS})
MAP_REDUCE_REQUESTS = optional(
    {
        "documents": st.lists(DOCUMENTS, min_size=1, max_size=4, unique_by=lambda document: document["id"]),
        "map": AGENTS,
        "reduce": AGENTS,
    },
    defaults=DEFAULTS,
    policy=POLICIES,
)
