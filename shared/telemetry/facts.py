"""What is told of an attempt, of a call to a model, and of a run that has ended: names and counts, no texts.

The names of attributes are those of the semantic conventions for generative AI where these have one, and begin with
`chorus.` where they have none: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

type Value = str | int | float | bool | list[str]
type Attributes = dict[str, Value]

PROVIDERS = {"azure": "azure.ai.openai", "openai": "openai", "compatible": "openai"}
"""The setting's provider as the conventions call it; a compatible server speaks OpenAI's format."""


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One attempt for a branch, or for a unit of documents: one activity, which may call its model twice.

    `number` counts the calls for the branch from 1, hedges too. `agent` names who answers: the agent, or the stage of a
    run in storage.
    """

    run_id: str
    branch: str
    number: int
    agent: str
    recipe: str | None = None

    @property
    def attributes(self) -> Attributes:
        """Those of its span, and of the spans and the log records within it."""
        named: Attributes = {
            "chorus.run_id": self.run_id,
            "chorus.branch": self.branch,
            "chorus.attempt": self.number,
        }
        return named | of_recipe(self.recipe)


@dataclass(frozen=True, slots=True)
class ChatFacts:
    """A call to a model: what it is asked with. `provider` is that of the settings."""

    provider: str
    model: str
    server: str
    port: int | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    is_structured: bool = False

    @property
    def name(self) -> str:
        """The span's."""
        return f"chat {self.model}"

    @property
    def of_its_agent(self) -> Attributes:
        """Those that the span of its attempt has too."""
        return {"gen_ai.provider.name": PROVIDERS[self.provider], "gen_ai.request.model": self.model}

    @property
    def dimensions(self) -> Attributes:
        """Those that metrics have too: few values each."""
        found: Attributes = {"gen_ai.operation.name": "chat", **self.of_its_agent, "server.address": self.server}
        return found if self.port is None else found | {"server.port": self.port}

    @property
    def attributes(self) -> Attributes:
        """The span's from its start."""
        found: Attributes = {"gen_ai.output.type": "json" if self.is_structured else "text"}
        if self.temperature is not None:
            found["gen_ai.request.temperature"] = self.temperature
        if self.max_output_tokens is not None:
            found["gen_ai.request.max_tokens"] = self.max_output_tokens
        return self.dimensions | found


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What a call to a model came to. Tokens are None where the service counted none; `error` is a code of ours."""

    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None
    error: str | None = None
    http_status: int | None = None

    @property
    def dimensions(self) -> Attributes:
        """Those that metrics have too."""
        found: Attributes = {} if self.model is None else {"gen_ai.response.model": self.model}
        return found if self.error is None else found | {"error.type": self.error}

    @property
    def attributes(self) -> Attributes:
        """The span's at its end."""
        found = self.dimensions if self.error is None else self.dimensions | of_error(self.error)
        if self.input_tokens is not None:
            found["gen_ai.usage.input_tokens"] = self.input_tokens
        if self.output_tokens is not None:
            found["gen_ai.usage.output_tokens"] = self.output_tokens
        if self.finish_reason is not None:
            found["gen_ai.response.finish_reasons"] = [self.finish_reason]
        if self.http_status is not None:
            found["http.response.status_code"] = self.http_status
        return found


@dataclass(frozen=True, slots=True)
class ChatTexts:
    """The texts of a call, told only where the setting says so."""

    instructions: str
    prompt: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run that has ended. `branches` counts them by status and, of those that failed, by the code of the error.

    Branches that a redrive took over are not among them, and judges, syntheses and reductions are not either; retries
    and hedges are those of all calls. A run in storage tells of its works in the place of branches, and of neither
    retries nor hedges. `saved_votes` are voters that were planned and not asked.
    """

    run_id: str
    pattern: str
    status: str
    reason: str
    started_at: datetime
    ended_at: datetime
    recipe: str | None = None
    redrive_of: str | None = None
    branches: Mapping[tuple[str, str | None], int] | None = None
    retries: int = 0
    hedges: int = 0
    saved_votes: int = 0
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def workflow(self) -> str:
        """What the conventions call a workflow: the recipe, or the pattern of a run without one."""
        return self.recipe or self.pattern

    @property
    def name(self) -> str:
        """The span's."""
        return f"invoke_workflow {self.workflow}"

    @property
    def dimensions(self) -> Attributes:
        """Those that metrics have too."""
        return {"chorus.pattern": self.pattern} | of_recipe(self.recipe)

    @property
    def ending(self) -> Attributes:
        """How it ended."""
        return {"chorus.status": self.status, "chorus.completion_reason": self.reason}

    @property
    def attributes(self) -> Attributes:
        """The span's."""
        counts: Counter[str] = Counter()
        for (status, _), count in (self.branches or {}).items():
            counts[status] += count
        found: Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": self.workflow,
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
            "chorus.run_id": self.run_id,
            "chorus.model_calls": self.model_calls,
            "chorus.retries": self.retries,
            "chorus.hedges": self.hedges,
            "chorus.votes.saved": self.saved_votes,
        }
        if self.redrive_of is not None:
            found["chorus.redrive_of"] = self.redrive_of
        told: Attributes = {f"chorus.branches.{status}": count for status, count in counts.items()}
        return self.dimensions | self.ending | found | told


def of_error(code: str) -> Attributes:
    """Why a span failed. Azure Monitor's exporter drops `error.type` from spans, so that the code is there twice."""
    return {"error.type": code, "chorus.error_code": code}


def of_recipe(recipe: str | None) -> Attributes:
    """The attribute that names a recipe, if there is one."""
    return {} if recipe is None else {"chorus.recipe": recipe}


def run_facts(result: Mapping[str, Any]) -> RunFacts:
    """What is told of a run, from its `RunResult` as the orchestration returns it.

    The result is not checked again: it may be large, and it has just been made from the contract.
    """
    reused = set(result["reused"])
    own = [outcome for outcome in result["outcomes"] if outcome["name"] not in reused]
    aggregation = [result["aggregation"]] if result["aggregation"] else []
    calls = [*own, *aggregation, *result["reductions"], *result["judges"]]
    usage = result["usage"]
    return RunFacts(
        run_id=result["id"],
        pattern=result["pattern"],
        status=result["status"],
        reason=result["completion_reason"],
        started_at=datetime.fromisoformat(result["started_at"]),
        ended_at=datetime.fromisoformat(result["ended_at"]),
        recipe=result.get("recipe"),
        redrive_of=result["redrive_of"],
        branches=_works(result["counts"]) if result.get("counts") else _branches(own),
        retries=sum(max(0, call["attempts"] - 1) for call in calls),
        hedges=sum(call["hedges"] for call in calls),
        saved_votes=_saved(result["output"] or {}),
        model_calls=usage["model_calls"],
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
    )


def _branches(outcomes: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str | None], int]:
    return Counter((outcome["status"], outcome["error"]["code"] if outcome["error"] else None) for outcome in outcomes)


def _works(counts: Mapping[str, int]) -> dict[tuple[str, str | None], int]:
    found: dict[tuple[str, str | None], int] = {
        ("succeeded", None): counts["succeeded"] - counts["reused"],
        ("failed", None): counts["failed"],
    }
    return {key: count for key, count in found.items() if count}


def _saved(output: Mapping[str, Any]) -> int:
    """Of a vote, or of all votes of a sectioning."""
    votes: Mapping[str, Any] = output.get("votes") or {}
    decisions: list[Mapping[str, Any]] = [output] if output.get("kind") == "decision" else list(votes.values())
    return sum(decision["stop"]["saved"] for decision in decisions)
