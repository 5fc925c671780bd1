"""The patterns of the Durable Functions documentation in one app, written as people write them for Core Tools."""

import json
import logging
from dataclasses import dataclass
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
from counters import bp

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(bp)

attempts = {}


@app.route(route="orchestrators/{functionName}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def http_start(req: func.HttpRequest, client):
    payload = json.loads(req.get_body() or b"null")
    instance_id = await client.start_new(req.route_params.get("functionName"), req.params.get("id"), payload)
    logging.info("Started orchestration with ID = '%s'.", instance_id)
    return client.create_check_status_response(req, instance_id)


@app.route(route="status/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def http_status(req: func.HttpRequest, client):
    status = await client.get_status(req.route_params["id"])
    if not status:
        return func.HttpResponse(status_code=404)
    return func.HttpResponse(json.dumps(status.to_json()), mimetype="application/json")


@app.route(route="wait/{functionName}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def http_wait(req: func.HttpRequest, client):
    instance_id = await client.start_new(req.route_params["functionName"], client_input=req.get_json())
    return await client.wait_for_completion_or_create_check_status_response(req, instance_id, 20000)


# --- Chaining -------------------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def chaining(context: df.DurableOrchestrationContext):
    result = yield context.call_activity("plus_one", 1)
    context.set_custom_status({"half": result})
    return (yield context.call_activity("plus_one", result))


@app.activity_trigger(input_name="number")
def plus_one(number: int) -> int:
    return number + 1


# --- Fan-out, fan-in, with sub-orchestrations -----------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext):
    squares = yield context.task_all([context.call_activity("square", n) for n in context.get_input()])
    child = yield context.call_sub_orchestrator("chaining", instance_id=f"{context.instance_id}-child")
    return {"total": sum(squares), "child": child}


@app.activity_trigger(input_name="n")
async def square(n: int) -> int:
    return n * n


# --- Human interaction ----------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    deadline = context.create_timer(context.current_utc_datetime + timedelta(seconds=context.get_input()))
    answer = context.wait_for_external_event("Approval")
    winner = yield context.task_any([answer, deadline])
    if winner == answer:
        deadline.cancel()
        return answer.result
    return "escalated"


# --- Monitor --------------------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def monitor(context: df.DurableOrchestrationContext):
    polls = context.get_input() or 0
    if polls < 3:
        yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
        context.continue_as_new(polls + 1)
        return None
    return polls


# --- Retries --------------------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def retrying(context: df.DurableOrchestrationContext):
    options = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)
    return (yield context.call_activity_with_retry("flaky", options, context.instance_id))


@app.activity_trigger(input_name="key")
def flaky(key: str) -> int:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise ConnectionError(f"attempt {attempts[key]}")
    return attempts[key]


@app.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("mended", context.instance_id))


@app.activity_trigger(input_name="key")
def mended(key: str) -> str:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] == 1:
        raise LookupError(f"no such thing as {key!r}")
    return "mended"


# --- Typed inputs, and a durable client inside an activity ----------------------------------------------------


@dataclass
class Order:
    item: str
    quantity: int

    def to_json(self):
        return {"item": self.item, "quantity": self.quantity}

    @classmethod
    def from_json(cls, data):
        return cls(**data)


@app.orchestration_trigger(context_name="context")
def ordering(context: df.DurableOrchestrationContext):
    order = yield context.call_activity("take_order", Order("tea", 2))
    nothing = yield context.call_activity("optional_input")
    started = yield context.call_activity("start_another", context.instance_id)
    return {"item": order.item, "quantity": order.quantity, "nothing": nothing, "started": started}


@app.activity_trigger(input_name="order")
def take_order(order: Order) -> Order:
    return Order(order.item.upper(), order.quantity + 1)


@app.activity_trigger(input_name="value")
def optional_input(value):
    return value


@app.activity_trigger(input_name="parent")
@app.durable_client_input(client_name="client")
async def start_another(parent: str, client) -> str:
    return await client.start_new("chaining", f"{parent}-other")


# --- Calls to an HTTP API that answers 202 --------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def calling(context: df.DurableOrchestrationContext):
    response = yield context.call_http("POST", context.get_input(), content=[1, 2])
    return {"status": response.status_code, "content": response.content}


@app.route(route="jobs", methods=["POST"])
def start_job(req: func.HttpRequest) -> func.HttpResponse:
    attempts["job"] = req.get_json()
    return func.HttpResponse(status_code=202, headers={"Location": req.url + "/1", "Retry-After": "0"})


@app.route(route="jobs/{id:int}", methods=["GET"])
def poll_job(req: func.HttpRequest) -> func.HttpResponse:
    attempts["polls"] = attempts.get("polls", 0) + 1
    if attempts["polls"] < 3:
        return func.HttpResponse(status_code=202, headers={"Location": req.url, "Retry-After": "0"})
    return func.HttpResponse(json.dumps(sum(attempts["job"])), mimetype="application/json")
