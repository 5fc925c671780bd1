"""Two-argument orchestrators, entity classes, schedules and the export of histories: the style of the 2.x SDK."""

import json
import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import azure.functions as func
from durabletask import task
from durabletask.entities import DurableEntity, EntityInstanceId
from durabletask.extensions.history_export import (
    AsyncExportHistoryClient,
    ExportDestination,
    ExportJobCreationOptions,
    ExportMode,
)
from durabletask.scheduled import AsyncScheduledTaskClient, ScheduleCreationOptions


class Log:
    """Writes exported histories into the log."""

    def write(self, *, instance_id, container, blob_name, payload, content_type, content_encoding, metadata=None):
        logging.info("exported %s to %s: %s bytes", instance_id, container, len(payload) > 0)


app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.configure_scheduled_tasks()
app.configure_history_export(Log())


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    instance_id = await client.schedule_new_orchestration(req.route_params["name"], input=req.get_json())
    state = await client.wait_for_orchestration_completion(instance_id, timeout=20)
    return func.HttpResponse(state.serialized_output, mimetype="application/json")


@app.route(route="sync/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
def start_sync(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:
    instance_id = client.schedule_new_orchestration(req.route_params["name"], input=req.get_json())
    state = client.wait_for_orchestration_completion(instance_id, timeout=20)
    return func.HttpResponse(state.serialized_output, mimetype="application/json")


@app.orchestration_trigger(context_name="context")
def update_counter(ctx: task.OrchestrationContext, change: dict):
    counter = EntityInstanceId("counter", change["key"])
    yield ctx.call_entity(counter, "add", change["amount"])
    return (yield ctx.call_entity(counter, "get", return_type=int))


@app.orchestration_trigger(context_name="context")
def race(ctx: task.OrchestrationContext, seconds: float):
    late = ctx.create_timer(ctx.current_utc_datetime + timedelta(minutes=5))
    first = yield task.when_any([ctx.create_timer(timedelta(seconds=seconds)), late])
    late.cancel()
    names = yield task.when_all([ctx.call_activity("shout", input=name) for name in ("a", "b")])
    return [first is late, names]


@app.activity_trigger(input_name="name")
def shout(name: str) -> str:
    return name.upper()


@app.entity_trigger(context_name="context")
class Counter(DurableEntity):
    def add(self, amount: int = 1) -> None:
        self.set_state(self.get_state(int, 0) + amount)

    def get(self) -> int:
        return self.get_state(int, 0)


# --- Schedules ------------------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def tick(ctx: task.OrchestrationContext, key: str):
    ctx.signal_entity(EntityInstanceId("counter", key), "add", 1)
    yield ctx.call_activity("shout", input=key)


@app.route(route="schedules/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def create_schedule(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    name = req.route_params["id"]
    options = ScheduleCreationOptions(name, "tick", timedelta(seconds=1), orchestration_input=name)
    await AsyncScheduledTaskClient(client).create_schedule(options)
    return func.HttpResponse(status_code=201)


@app.route(route="schedules/{id}", methods=["DELETE"])
@app.durable_client_input(client_name="client")
async def delete_schedule(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    schedules = AsyncScheduledTaskClient(client)
    await schedules.get_schedule_client(req.route_params["id"]).delete()
    gone = await schedules.get_schedule(req.route_params["id"]) is None
    return func.HttpResponse(json.dumps(gone), mimetype="application/json")


# --- Export of histories --------------------------------------------------------------------------------------


@app.route(route="export", methods=["POST"])
@app.durable_client_input(client_name="client")
async def export(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    exports = AsyncExportHistoryClient(client, Log())
    job = await exports.create_job(
        ExportJobCreationOptions(
            mode=ExportMode.BATCH,
            completed_time_from=datetime.now(UTC) - timedelta(hours=1),
            completed_time_to=datetime.now(UTC),
            destination=ExportDestination(container="histories"),
        )
    )
    done = await exports.wait_for_job(job.job_id, timeout=20, poll_interval=0.02)
    return func.HttpResponse(json.dumps(done.status.name), mimetype="application/json")
