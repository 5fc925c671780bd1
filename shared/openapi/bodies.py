"""Bodies that no contract of the app has: those that a cold start should not pay for, and what recipes share."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from shared.contracts.agent import AgentDefaults
from shared.contracts.base import Contract
from shared.contracts.branch import BranchError, Usage
from shared.contracts.callback import CallbackUrl
from shared.contracts.policy import RunPolicy
from shared.contracts.run import CompletionReason, Counts, Pattern, RunResult, RunStatus
from shared.contracts.storage import StoredFiles
from shared.settings import ModelApi, Provider


class ModelReport(Contract):
    """The model that the settings name."""

    provider: Provider
    name: str
    api: ModelApi


class StorageReport(Contract):
    """How many containers the settings allow; which they are is nobody's business."""

    sources: int
    sinks: int


class CallbackReport(Contract):
    """How many hosts the settings allow to be called back."""

    hosts: int


class RecipeRequest(Contract):
    """What all recipes take; a recipe's parameters stand beside it, each a field, and `GetRecipe` has their schema."""

    model_config = ConfigDict(extra="allow")

    policy: RunPolicy | None = None
    defaults: AgentDefaults | None = None
    callback_url: CallbackUrl = None


class HealthReport(Contract):
    """`GET /api/health`: what the settings come to."""

    status: Literal["ok", "misconfigured"]
    version: str
    problems: list[str] = Field(default_factory=list[str])
    model: ModelReport | None = None
    storage: StorageReport | None = None
    callbacks: CallbackReport | None = None


class ProblemField(Contract):
    """What is wrong with one field."""

    path: str
    message: str


class ProblemDetails(Contract):
    """Why a request was not served, as RFC 9457 has it: for people in `detail`, for programs in `code`."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemField] = Field(default_factory=list[ProblemField])


class RunSummary(Contract):
    """How a run went, in a callback that has no place for its result."""

    redrive_of: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    usage: Usage | None = None
    counts: Counts | None = None
    files: StoredFiles | None = None
    error: BranchError | None = None


class CompletedRun(Contract):
    """The run that has ended: with its `result`, or, where that is large or the run could not write it, a `summary`."""

    id: str
    pattern: Pattern
    recipe: str | None = None
    status: RunStatus
    completion_reason: CompletionReason
    result_url: str
    result: RunResult | None = None
    summary: RunSummary | None = None


class RunCompleted(Contract):
    """What is POSTed to a `callback_url` when the run has ended, however it did."""

    type: Literal["run.completed"]
    timestamp: datetime
    data: CompletedRun
