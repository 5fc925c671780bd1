"""Bodies that no contract of the app has: those that a cold start should not pay for, and what recipes share."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from shared.contracts.agent import AgentDefaults
from shared.contracts.base import Contract
from shared.contracts.policy import RunPolicy
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


class RecipeRequest(Contract):
    """What all recipes take; a recipe's parameters stand beside it, each a field, and `GetRecipe` has their schema."""

    model_config = ConfigDict(extra="allow")

    policy: RunPolicy | None = None
    defaults: AgentDefaults | None = None


class HealthReport(Contract):
    """`GET /api/health`: what the settings come to."""

    status: Literal["ok", "misconfigured"]
    problems: list[str] = Field(default_factory=list[str])
    model: ModelReport | None = None
    storage: StorageReport | None = None


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
