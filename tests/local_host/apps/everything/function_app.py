"""A small durable app with a bit of everything."""

import datetime

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return f"hello {req.params.get('name')}"


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext):
    first = yield context.call_activity("say", "Tokyo")
    second = yield context.call_activity("say", "Oslo")
    nothing = yield context.call_activity("nothing")
    return [first, second, nothing]


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext):
    data = context.get_input()
    children = [
        context.call_sub_orchestrator("child", data["seconds"], f"{context.instance_id}:{i}") for i in range(data["n"])
    ]
    results = yield context.task_all(children)
    yield context.call_activity("wait", data["seconds"])
    return sum(results)


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("wait", context.get_input()))


@app.activity_trigger(input_name="seconds")
async def wait(seconds: float) -> int:
    import asyncio

    await asyncio.sleep(seconds)
    return 1


@app.activity_trigger(input_name="city")
def say(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger(input_name="value")
def nothing(value):
    return value


@app.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext):
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(milliseconds=1))
    yield context.call_activity("fail", "boom")


@app.activity_trigger(input_name="message")
def fail(message: str):
    raise LookupError(message)


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    if context.operation_name == "add":
        value += context.get_input()
        context.set_state(value)
    context.set_result(value)


@app.orchestration_trigger(context_name="context")
def count(context: df.DurableOrchestrationContext):
    entity = df.EntityId("counter", context.instance_id)
    yield context.call_entity(entity, "add", 2)
    return (yield context.call_entity(entity, "add", 3))
