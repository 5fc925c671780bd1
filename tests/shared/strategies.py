"""What the property-based tests draw from."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import category

from hypothesis import strategies as st

from shared.normalisation import normalised

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
    max_concurrency=st.integers(2, 1000),
    attempts=st.integers(1, 10),
    branch_timeout_s=st.floats(1, 100),
    deadline_s=st.floats(100, 86_400),
    min_successful=st.just(1),
    tolerated_failure_count=st.integers(0, 2**70),
    tolerated_failure_percentage=st.floats(0, 100),
    hedge_after_s=st.floats(0.1, 0.9),
    max_total_tokens=st.integers(1, 2**70),
)


def line_texts(max_size: int) -> st.SearchStrategy[str]:
    alphabet = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    return st.text(alphabet, min_size=1, max_size=max_size).filter(lambda text: re.search(r"\w", text) is not None)


def read_alike(text: str) -> str:
    return normalised("".join(character for character in text if category(character) != "Cf"))


def different(texts: st.SearchStrategy[str], min_size: int) -> st.SearchStrategy[list[str]]:
    return st.lists(texts, min_size=min_size, max_size=5, unique_by=read_alike)


OPTION_LISTS = different(st.sampled_from(["Yes", "No", "null", "true", "5 %", "-5 %"]) | line_texts(12), min_size=2)
CRITERION_NAMES = line_texts(12).filter(lambda name: not set(name) & set('"\\'))
WEIGHTS = st.floats(0.001, 1_000) | st.integers(1, 1_000)
NUMBERS = st.floats(-1e15, 1e15) | st.integers(-1000, 1000)
BOUNDS = st.lists(NUMBERS, min_size=2, max_size=2, unique=True).map(sorted)


def with_bounds(ballots: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda ballot, bounds: {**ballot, "minimum": bounds[0], "maximum": bounds[1]}, ballots, BOUNDS)


def options_ballots(kind: str, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = {"type": st.just(kind), "options": OPTION_LISTS}
    return optional(required, abstain=st.booleans(), shuffle=st.booleans(), **others)


@st.composite
def criteria(draw: st.DrawFn) -> list[Any]:
    """Some as their names alone."""
    spelled = optional({}, description=TEXTS, weight=WEIGHTS)
    names = draw(different(CRITERION_NAMES, min_size=1))
    return [draw(st.just(name) | spelled.map(lambda more, name=name: {"name": name, **more})) for name in names]


SCORE_BALLOTS = optional({"type": st.just("score"), "criteria": criteria()}, abstain=st.booleans())
NUMBER_BALLOTS = optional({"type": st.just("number")}, abstain=st.booleans(), unit=line_texts(9))
BALLOTS = (
    options_ballots("choice")
    | options_ballots("approval")
    | options_ballots("ranking", complete=st.booleans())
    | SCORE_BALLOTS
    | with_bounds(SCORE_BALLOTS)
    | NUMBER_BALLOTS
    | with_bounds(NUMBER_BALLOTS)
    | optional({"type": st.just("boolean")}, abstain=st.booleans())
    | optional({"type": st.just("free")}, abstain=st.booleans(), max_chars=st.integers(1, 5_000))
)


def rule(kind: str, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(kind) | optional({"type": st.just(kind)}, **others)


def rules_of_answers(answers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    veto = optional({"type": st.just("veto"), "answer": answers}, count=st.just(1))
    supermajority = rule("supermajority", threshold=st.floats(0.5, 1, exclude_min=True))
    weighted = rule(
        "weighted",
        by=st.sampled_from(["weight", "confidence", "both"]),
        threshold=st.floats(0, 1, exclude_min=True),
    )
    return st.sampled_from(["plurality", "majority", "unanimous"]) | supermajority | weighted | veto


def rules_for(ballot: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Every rule that fits the ballot, in every spelling."""
    scores = st.floats(ballot.get("minimum", 1), ballot.get("maximum", 5))
    completions = st.sampled_from(["schulze", "ranked_pairs", "minimax", "none"])
    return {
        "choice": lambda: rules_of_answers(st.sampled_from(ballot["options"])),
        "boolean": lambda: rules_of_answers(st.booleans()),
        "free": lambda: rules_of_answers(line_texts(20)) | st.sampled_from(["self_consistency", "best_of"]),
        "approval": lambda: rule("approval"),
        "ranking": lambda: rule("borda") | rule("instant_runoff") | rule("condorcet", completion=completions),
        "score": lambda: rule("per_criterion", statistic=st.sampled_from(["mean", "median"]), threshold=scores),
        "number": lambda: rule("median") | rule("trimmed_mean", trim=st.floats(0, 0.5, exclude_max=True)),
    }[ballot["type"]]()


def juries(weighed: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    more = {"persona": TEXTS, "instructions": TEXTS, "model": st.just("gpt-5"), "temperature": st.floats(0, 2)}
    jurors = optional({"name": NAMES}, **more, **({"weight": WEIGHTS} if weighed else {}))
    return st.lists(jurors, min_size=1, max_size=4, unique_by=lambda juror: juror["name"])


@st.composite
def plans(draw: st.DrawFn, weighed: bool, limit: int) -> dict[str, Any]:
    plan = draw(optional({}, wave=st.integers(1, 200)))
    if draw(st.booleans()):
        jury = draw(juries(weighed))
        plan |= {"jury": jury} | draw(optional({}, max=st.integers(1, len(jury))))
    else:
        plan |= draw(
            optional({"max": st.integers(1, limit)}, perspectives=st.sampled_from(["fact_check", "brainstorm"]))
        )
    return plan | draw(optional({}, min=st.integers(1, most_voters(plan))))


def most_voters(voters: Any) -> int:
    """How many voters a request's `voters` are at most."""
    if isinstance(voters, dict):
        return voters.get("max") or len(voters["jury"])
    return len(voters) if isinstance(voters, list) else voters


UNCOUNTED = {"weighted", "median", "trimmed_mean", "per_criterion", "best_of"}
TIELESS = {"supermajority", "unanimous", "median", "trimmed_mean", "per_criterion"}
JUDGED = {"self_consistency", "best_of"}
JUDGES = optional({"instructions": TEXTS}, name=NAMES, model=st.just("gpt-5"))
USUAL_RULES = {"approval": "approval", "ranking": "condorcet", "score": "per_criterion", "number": "median"}


def stops_for(kind: str, voters: Any) -> st.SearchStrategy[Any]:
    stops = [st.just("decided"), st.just({"type": "decided"})]
    if kind not in UNCOUNTED:
        levels = st.floats(0.5, 1, exclude_max=True)
        stops += [st.just("confident"), optional({"type": st.just("confident")}, level=levels)]
    if not isinstance(voters, dict) or not voters.keys() & {"min", "wave"}:
        stops.append(st.just("fixed"))
    return st.one_of(stops)


@st.composite
def ties_for(draw: st.DrawFn, kind: str, voters: Any) -> dict[str, Any]:
    breaks = ["none"] if kind in TIELESS else ["none", "first", "judge", *(["chair"] if kind != "best_of" else [])]
    tie: dict[str, Any] = {"tie_break": draw(st.sampled_from(breaks))}
    if (tie["tie_break"] == "judge" or kind in JUDGED) and draw(st.booleans()):
        tie["judge"] = draw(JUDGES)
    ready = isinstance(voters, dict) and "perspectives" in voters
    if tie["tie_break"] == "chair" and not ready and draw(st.booleans()):
        tie["chair"] = draw(st.sampled_from(voter_names(voters)))
    return tie


def voter_names(voters: Any) -> list[str]:
    jury = voters.get("jury") if isinstance(voters, dict) else voters if isinstance(voters, list) else None
    if jury is None:
        return [f"voter-{number}" for number in range(1, most_voters(voters) + 1)]
    return [juror["name"] for juror in jury[: most_voters(voters)]]


@st.composite
def voting_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Every ballot, each rule that fits it, and voters, stops and ties that fit the rule."""
    ballot = draw(BALLOTS)
    body: dict[str, Any] = {"question": draw(TEXTS), "ballot": ballot}
    stated = draw(st.none() | rules_for(ballot))
    kind = USUAL_RULES.get(ballot["type"], "majority") if stated is None else stated
    kind = kind["type"] if isinstance(kind, dict) else kind
    by = stated.get("by", "weight") if isinstance(stated, dict) else "weight"
    weighed = kind == "weighted" and by != "confidence"
    limit = 50 if kind in JUDGED else 200
    voters = draw(st.integers(1, limit) | juries(weighed) | plans(weighed, limit))
    body |= {"voters": voters} | ({"rule": stated} if stated is not None else {})
    body |= draw(optional({}, stop=stops_for(kind, voters))) | draw(ties_for(kind, voters))
    others = optional({}, context=TEXTS, require_evidence=st.booleans(), defaults=DEFAULTS, policy=POLICIES)
    return body | draw(others)


VOTING_REQUESTS = voting_requests()
OF_A_RUN = ("context", "defaults", "policy")
VOTES = VOTING_REQUESTS.map(lambda body: {name: value for name, value in body.items() if name not in OF_A_RUN})

SECTIONS = (
    optional({"name": NAMES, "instructions": TEXTS}, input=TEXTS)
    | optional({"name": NAMES, "agent": AGENTS}, input=TEXTS)
    | optional({"name": NAMES, "vote": VOTES}, input=TEXTS)
)
SECTIONING_REQUESTS = optional(
    {"input": TEXTS, "sections": st.lists(SECTIONS, min_size=1, max_size=4, unique_by=lambda section: section["name"])},
    aggregation=st.sampled_from(["synthesize", "concatenate", "merge"]),
    defaults=DEFAULTS,
    policy=POLICIES,
)

SPLITS = (
    st.just({"by": "document"})
    | st.builds(
        lambda size, overlap: {"by": "lines", "size": size, "overlap": min(overlap, size // 2)},
        st.integers(1, 9),
        st.integers(0, 4),
    )
    | st.builds(
        lambda by, size: {"by": by, "size": size, "overlap": size // 4},
        st.sampled_from(["tokens", "characters"]),
        st.integers(64, 200),
    )
)
BUDGETS_OF_CALLS = st.integers(20_000, 200_000)
REDUCTIONS = (
    AGENTS
    | optional(
        {"type": st.just("tree"), "agent": AGENTS}, max_input_tokens=BUDGETS_OF_CALLS, max_fan_in=st.integers(2, 9)
    )
    | optional({"type": st.just("refine"), "agent": AGENTS}, max_input_tokens=BUDGETS_OF_CALLS)
    | st.sampled_from(["concatenate", {"type": "concatenate"}])
)
JOINS = optional({"type": st.just("merge")}, key=TEXTS, sum=st.lists(TEXTS, max_size=2)) | optional(
    {"type": st.just("table")},
    format=st.sampled_from(["csv", "jsonl"]),
    columns=st.lists(TEXTS, min_size=1, unique=True),
)
SHAPED_AGENTS = st.builds(lambda agent, schema: {**agent, "output_schema": schema}, AGENTS, SCHEMAS)

DOCUMENTS = st.fixed_dictionaries({"id": NAMES, "content": TEXTS})


def map_reduce_requests(agents: st.SearchStrategy[Any], reductions: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    documents = st.lists(DOCUMENTS, min_size=1, max_size=4, unique_by=lambda document: document["id"])
    required = {"documents": documents, "map": agents, "reduce": reductions}
    return optional(required, batch_size=st.integers(1, 5), split=SPLITS, defaults=DEFAULTS, policy=POLICIES)


MAP_REDUCE_REQUESTS = map_reduce_requests(AGENTS, REDUCTIONS) | map_reduce_requests(SHAPED_AGENTS, JOINS)
