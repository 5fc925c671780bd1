"""A small durable app with a bit of everything."""

import datetime

import azure.durable_functions as df
import azure.functions as func
from durabletask import task
from durabletask.entities import EntityInstanceId

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.configure_scheduled_tasks()
ATTEMPTS: dict[str, int] = {}


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


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    deadline = context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=context.get_input()))
    answer = context.wait_for_external_event("Approval")
    winner = yield context.task_any([answer, deadline])
    if winner is deadline:
        return "timed out"
    deadline.cancel()
    return answer.result


@app.orchestration_trigger(context_name="context")
def retried(context: df.DurableOrchestrationContext):
    options = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)
    return (yield context.call_activity_with_retry("fails_twice", options, context.instance_id))


@app.activity_trigger(input_name="key")
def fails_twice(key: str) -> int:
    ATTEMPTS[key] = ATTEMPTS.get(key, 0) + 1
    if ATTEMPTS[key] < 3:
        raise ConnectionError(f"attempt {ATTEMPTS[key]}")
    return ATTEMPTS[key]


@app.orchestration_trigger(context_name="context")
def monitor(context: df.DurableOrchestrationContext):
    turn = context.get_input()
    yield context.call_activity("say", str(turn))
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(milliseconds=10))
    if turn == 4:
        return turn
    context.continue_as_new(turn + 1)


@app.orchestration_trigger(context_name="context")
def fetches(context: df.DurableOrchestrationContext):
    response = yield context.call_http("GET", context.get_input())
    return [response.status_code, response.content]


@app.orchestration_trigger(context_name="context")
def looks_itself_up(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("status_of", context.instance_id))


@app.activity_trigger(input_name="instance")
@app.durable_client_input(client_name="client")
async def status_of(instance: str, client: df.DurableOrchestrationClient) -> str:
    status = await client.get_status(instance)
    return status.name


@app.orchestration_trigger(context_name="context")
def recovers(context: df.DurableOrchestrationContext):
    tasks = [context.call_sub_orchestrator("failing"), context.call_activity("say", "Oslo")]
    try:
        yield context.task_all(tasks)
    except Exception as error:
        return [str(error).rpartition(": ")[2], tasks[1].result]


@app.orchestration_trigger(context_name="context")
def transfers(context: task.OrchestrationContext, _):
    source, target = EntityInstanceId("counter", "source"), EntityInstanceId("counter", "target")
    with (yield context.lock_entities([source, target])):
        taken = yield context.call_entity(source, "add", -1)
        given = yield context.call_entity(target, "add", 1)
    return [taken, given]


@app.orchestration_trigger(context_name="context")
def defective(context: df.DurableOrchestrationContext):
    yield context.call_activity("say", "x")
    raise SystemExit(4)
