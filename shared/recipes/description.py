"""What a recipe tells of itself: the schema of what it takes, and of what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from shared.branching import Request
from shared.contracts.agent import AgentSpec
from shared.contracts.ballots import ApprovalBallot, BooleanBallot, ChoiceBallot, RankingBallot, ScoreBallot
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.recipe import RecipeDetails, RecipeSummary
from shared.contracts.reduction import MergeReduction, RefineReduction, TreeReduction
from shared.contracts.rules import PerCriterion
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.recipes.parameters import titled
from shared.recipes.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONTENT, DECISION = "output.content", "output.decision"

Schema = dict[str, JsonValue]


def summary_of(recipe: Recipe) -> RecipeSummary:
    """The recipe's line in the list."""
    file = recipe.file
    return RecipeSummary(name=recipe.name, title=file.title, description=file.description, pattern=file.pattern)


def details_of(recipe: Recipe) -> RecipeDetails:
    """Everything that a caller, or a form made for one, has to know."""
    request = recipe.request(recipe.filled(recipe.given(recipe.example)))
    return RecipeDetails(
        name=recipe.name,
        title=recipe.file.title,
        description=recipe.file.description,
        pattern=recipe.file.pattern,
        input_schema=input_schema(recipe),
        output_path=DECISION if isinstance(request, VotingRequest) else CONTENT,
        output_schema=output_schema(request),
        example=recipe.example,
    )


def input_schema(recipe: Recipe) -> Schema:
    """The JSON Schema of the body, with titles, descriptions, defaults and examples; the policy's are the recipe's."""
    schema = recipe.body.model_json_schema()
    for name, field in schema["properties"].items():
        field["title"] = titled(name)
        if field.get("default", ...) is None:
            _without_null(field)
    own = recipe.file.request.get("policy")
    policy = schema["$defs"]["RunPolicy"]["properties"]
    for name, value in own.items() if isinstance(own, dict) else ():
        if name in policy and not isinstance(value, str | dict | list):
            policy[name]["default"] = value
    schema["title"] = recipe.file.title
    schema["description"] = recipe.file.description
    return {"$schema": DIALECT, **schema}


def _without_null(field: dict[str, Any]) -> None:
    """A parameter that may be left out may be null, too, but forms are simpler for not knowing."""
    del field["default"]
    [kind] = [each for each in field.pop("anyOf") if each != {"type": "null"}]
    field.update(kind)


def output_schema(request: Request) -> Schema | None:
    """The schema of the run's answer, if it is structured: of `output.content`, or of `output.decision`."""
    match request:
        case VotingRequest():
            return _of_decision(request)
        case SectioningRequest():
            return _of_sections(request)
        case MapReduceRequest():
            return _of_reduction(request)


def _of_sections(request: SectioningRequest) -> Schema | None:
    match request.aggregation:
        case "synthesize":
            return request.synthesizer.output_schema if request.synthesizer else None
        case "merge":
            return _merged([section.agent for section in request.sections if section.agent])
        case "concatenate":
            return None


def _of_reduction(request: MapReduceRequest) -> Schema | None:
    match request.reduction:
        case TreeReduction(agent=agent) | RefineReduction(agent=agent):
            return agent.output_schema
        case MergeReduction():
            return _merged([request.map])
        case _:
            return None


def _merged(agents: Sequence[AgentSpec]) -> Schema | None:
    """The fields of all outputs; which are there depends on which agents succeed."""
    fields: Schema = {}
    for agent in agents:
        own = (agent.output_schema or {}).get("properties")
        fields |= own if isinstance(own, dict) else {}
    return {"type": "object", "properties": fields} if fields else None


def _of_decision(request: VotingRequest) -> Schema:
    """What `decision` may be; null without one."""
    match request.ballot:
        case ChoiceBallot(options=options) | ApprovalBallot(options=options) | RankingBallot(options=options):
            return {"type": ["string", "null"], "enum": [*options, None]}
        case BooleanBallot():
            return {"type": ["boolean", "null"]}
        case ScoreBallot() if isinstance(rule := request.effective_rule, PerCriterion) and rule.threshold is not None:
            return {"type": ["string", "null"], "enum": ["pass", "fail", None]}
        case ballot:
            return {"type": ["string" if ballot.type == "free" else "number", "null"]}
