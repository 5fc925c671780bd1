"""Callbacks as callers meet them: accepted or refused with the request, and seen in the view."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import ValidationError

from activities.names import DELIVERY, delivery_instance_id
from shared.callbacks.sealing import sealed
from shared.callbacks.targets import target_of
from shared.contracts.base import restored
from shared.contracts.callback import Callback, CallbackView, DeliveryInput, DeliveryReport
from shared.errors import CallbackRefused, SettingsError
from shared.settings import (
    CHORUS_CALLBACK_HOSTS,
    CHORUS_CALLBACK_SECRET,
    CallbackSettings,
    load_callback_settings,
)
from shared.task_hub import status_of
from triggers.problems import FieldError, Problem
from triggers.views import RunState

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState


def callback_for(url: str | None) -> Callback | None:
    """The callback that a request asks for by its `callback_url`; raise the `Problem` with one that may not be called.

    None without a URL. What it returns may go into history: the URL itself is sealed.
    """
    if url is None:
        return None
    settings = _settings()
    try:
        target = target_of(url, settings)
    except CallbackRefused as exc:
        message = f"the URL {exc}"
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "invalid_request",
            f"The request does not fit its contract: callback_url: {message}. Nothing was started.",
            [FieldError("callback_url", message)],
        ) from None
    return Callback(sealed=sealed(target.url, settings), host=target.name)


async def schedule_delivery(client: DurableFunctionsClient, run_id: str, callback: Callback, result_url: str) -> None:
    """Start the delivery of a run's callback, which waits for the run: call it before the run itself is started.

    One that is under way already is left as it is.
    """
    given = DeliveryInput(run_id=run_id, callback=callback, result_url=result_url)
    try:
        await client.schedule_new_orchestration(
            DELIVERY, input=given.model_dump(mode="json"), instance_id=delivery_instance_id(run_id)
        )
    except Exception as exc:
        if status_of(exc) != "ALREADY_EXISTS":
            raise


async def callback_view(client: DurableFunctionsClient, run: RunState) -> CallbackView | None:
    """How far the run's callback has come; None if it has none. Needs the run's payloads."""
    callback = run.given.callback if run.given else None
    if callback is None:
        return None
    state = await client.get_orchestration_state(delivery_instance_id(run.id))
    return CallbackView(host=callback.host, **dict(report_of(state)))


def report_of(delivery: OrchestrationState | None) -> DeliveryReport:
    """What a delivery tells of itself; one that was ended from outside has failed."""
    if delivery is None:
        return DeliveryReport(state="waiting")
    text = delivery.serialized_output if delivery.runtime_status.name == "COMPLETED" else None
    try:
        report = restored(DeliveryReport, json.loads(text or delivery.serialized_custom_status or "null"))
    except ValidationError:
        report = DeliveryReport(state="waiting")
    if delivery.runtime_status.name in {"FAILED", "TERMINATED"}:
        ended = {"state": "failed", "last_error": "the delivery was ended from outside", "next_attempt_at": None}
        return report.model_copy(update=ended)
    return report


def _settings() -> CallbackSettings:
    try:
        settings = load_callback_settings(os.environ)
    except SettingsError as exc:
        raise _not_configured(f"its settings are wrong: {exc}") from exc
    if settings is None:
        raise _not_configured("it has no secret to sign them with")
    return settings


def _not_configured(reason: str) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "callbacks_not_configured",
        f"This app sends no callbacks: {reason}. Set {CHORUS_CALLBACK_SECRET} and {CHORUS_CALLBACK_HOSTS}, or leave "
        "callback_url out and ask the status_url for the result. Nothing was started.",
        [FieldError("callback_url", "this app sends no callbacks")],
    )
