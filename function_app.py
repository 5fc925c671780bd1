"""The map of the app: every route, orchestration and activity. Wiring only; each line names where the code is."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, cast

import azure.durable_functions as df
import azure.functions as func

from shared import deferred
from shared.errors import SettingsError
from shared.kept_client import with_kept_client
from shared.recipes.folder import folder_of
from shared.settings import (
    load_callback_settings,
    load_model_settings,
    load_retention_days,
    load_storage_settings,
    load_telemetry_settings,
)

# Outputs of models and callers' schemas are arbitrary JSON. In the SDK's loose mode, an object in them with the keys
# __class__, __module__ and __data__ would be taken for a Python object to rebuild, and could fail the orchestration.
os.environ["AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"] = "1"

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
with_client_config: Callable[..., Any] = cast(Any, app).generic_input_binding(arg_name="client", type="durableClient")


def with_client(function: Callable[..., Any]) -> Any:
    """Bind the durable client of the process as `client`; of an activity before its trigger."""
    return with_client_config(with_kept_client(function))


# HTTP
app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)(
    deferred.http_trigger("triggers.health:health")
)
app.route("sectioning", methods=["POST"])(with_client(deferred.client_http_trigger("triggers.runs:start_sectioning")))
app.route("voting", methods=["POST"])(with_client(deferred.client_http_trigger("triggers.runs:start_voting")))
app.route("map-reduce", methods=["POST"])(with_client(deferred.client_http_trigger("triggers.runs:start_map_reduce")))
app.route("sectioning/estimate", methods=["POST"])(deferred.http_trigger("triggers.estimates:estimate_sectioning"))
app.route("voting/estimate", methods=["POST"])(deferred.http_trigger("triggers.estimates:estimate_voting"))
app.route("map-reduce/estimate", methods=["POST"])(deferred.http_trigger("triggers.estimates:estimate_map_reduce"))
app.route("runs", methods=["GET"])(with_client(deferred.client_http_trigger("triggers.run_list:list_runs")))
app.route("runs", methods=["DELETE"])(
    with_client(deferred.client_http_trigger("triggers.cancellation:cancel_run_of_key"))
)
app.route("runs/{id}", methods=["GET"])(with_client(deferred.client_http_trigger("triggers.runs:get_run")))
app.route("runs/{id}/view", methods=["GET"])(with_client(deferred.client_http_trigger("triggers.runs:view_run")))
app.route("runs/{id}", methods=["DELETE"])(with_client(deferred.client_http_trigger("triggers.runs:cancel_run")))
app.route("runs/{id}/redrive", methods=["POST"])(
    with_client(deferred.client_http_trigger("triggers.redrive:redrive_run"))
)
app.route("recipes", methods=["GET"])(deferred.http_trigger("triggers.recipes:list_recipes"))
app.route("recipes/{name}", methods=["GET"])(deferred.http_trigger("triggers.recipes:describe_recipe"))
app.route("recipes/{name}", methods=["POST"])(
    with_client(deferred.client_http_trigger("triggers.recipes:start_recipe"))
)
app.route("recipes/{name}/estimate", methods=["POST"])(deferred.http_trigger("triggers.recipes:estimate_recipe"))
app.route("openapi.json", methods=["GET"])(deferred.http_trigger("triggers.openapi:get_openapi"))
app.route("swagger.json", methods=["GET"])(deferred.http_trigger("triggers.openapi:get_swagger"))
app.route("docs", methods=["GET"])(deferred.http_trigger("triggers.openapi:view_docs"))

# Orchestrations
app.orchestration_trigger("context")(deferred.run_orchestrator("orchestrators.sectioning:sectioning"))
app.orchestration_trigger("context")(deferred.run_orchestrator("orchestrators.voting:voting"))
app.orchestration_trigger("context")(deferred.run_orchestrator("orchestrators.map_reduce:map_reduce"))
app.orchestration_trigger("context")(deferred.orchestrator("orchestrators.agent_attempt:agent_attempt"))
app.orchestration_trigger("context")(deferred.native_orchestrator("orchestrators.shard:shard"))
app.orchestration_trigger("context")(deferred.orchestrator("orchestrators.delivery:delivery"))
app.orchestration_trigger("context")(deferred.orchestrator("orchestrators.claim:claim"))

# Activities
with_client_config(app.activity_trigger("given")(deferred.client_activity("activities.call_agent:call_agent")))
app.activity_trigger("given")(with_client(deferred.client_activity("activities.stop_calls:stop_calls")))
app.activity_trigger("given")(deferred.activity("activities.plan_documents:plan_documents"))
app.activity_trigger("given")(deferred.activity("activities.open_page:open_page"))
with_client_config(app.activity_trigger("given")(deferred.client_activity("activities.read_documents:read_documents")))
app.activity_trigger("given")(deferred.activity("activities.close_page:close_page"))
app.activity_trigger("given")(deferred.activity("activities.finish_map:finish_map"))
app.activity_trigger("given")(deferred.activity("activities.take_over:take_over"))
app.activity_trigger("given")(deferred.activity("activities.plan_level:plan_level"))
with_client_config(app.activity_trigger("given")(deferred.client_activity("activities.reduce_parts:reduce_parts")))
app.activity_trigger("given")(deferred.activity("activities.join_outputs:join_outputs"))
app.activity_trigger("given")(with_client(deferred.client_activity("activities.announce_end:announce_end")))
app.activity_trigger("given")(with_client(deferred.client_activity("activities.look_for_end:look_for_end")))
app.activity_trigger("given")(with_client(deferred.client_activity("activities.deliver_result:deliver_result")))

# Timers
app.timer_trigger("timer", "0 15 3 * * *")(
    with_client(deferred.client_timer_trigger("triggers.retention:purge_old_runs"))
)

# At INFO the clients of other services log each request with its URL, at DEBUG the prompts in it.
for library in ("azure.core", "azure.identity", "azure.monitor", "azure.storage", "httpx", "httpx2", "openai"):
    logging.getLogger(library).setLevel(logging.WARNING)

try:
    if telling := load_telemetry_settings(os.environ):
        from shared.telemetry.open_telemetry import started
        from shared.telemetry.telemetry import tell_by

        tell_by(started(telling, os.environ))
except (SettingsError, ImportError) as exc:
    logging.getLogger("chorus").warning("The app starts, but without telemetry: %s", exc)

try:
    load_model_settings(os.environ)
except SettingsError as exc:
    logging.getLogger("chorus").warning("The app starts, but its agents will fail: %s", exc)

try:
    if storage := load_storage_settings(os.environ):
        from shared.payload_store import payloads_in

        app.configure_large_payloads(payload_store=payloads_in(storage))
except SettingsError as exc:
    logging.getLogger("chorus").warning("The app starts, but without storage: %s", exc)

try:
    for broken in folder_of(os.environ).problems():
        logging.getLogger("chorus").warning("The app starts, but without one of its recipes: %s", broken)
except SettingsError as exc:
    logging.getLogger("chorus").warning("The app starts, but without recipes: %s", exc)

try:
    load_callback_settings(os.environ)
except SettingsError as exc:
    logging.getLogger("chorus").warning("The app starts, but without callbacks: %s", exc)

try:
    load_retention_days(os.environ)
except SettingsError as exc:
    logging.getLogger("chorus").warning("The app starts, but purges no runs: %s", exc)
