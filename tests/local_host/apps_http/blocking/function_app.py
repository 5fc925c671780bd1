"""Synchronous functions that wait: for an orchestration, or until they are released."""

import threading

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
WAITING: list[int] = []
RELEASED = threading.Event()


@app.route(route="run")
@app.durable_client_input(client_name="client")
def run(req: func.HttpRequest, client) -> str:
    instance_id = client.schedule_new_orchestration("doubles", input=int(req.params["n"]))
    state = client.wait_for_orchestration_completion(instance_id, timeout=20)
    return state.serialized_output


@app.orchestration_trigger(context_name="context")
def doubles(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("double", context.get_input()))


@app.activity_trigger(input_name="n")
def double(n: int) -> int:
    return 2 * n


@app.orchestration_trigger(context_name="context")
def many_wait(context: df.DurableOrchestrationContext):
    results = yield context.task_all([context.call_activity("waits", i) for i in range(context.get_input())])
    return len(results)


@app.activity_trigger(input_name="i")
def waits(i: int) -> int:
    WAITING.append(i)
    RELEASED.wait(30)
    return i


@app.orchestration_trigger(context_name="context")
def ends_at_once(context: df.DurableOrchestrationContext):
    return "ended"


@app.route(route="waiting")
def waiting(req: func.HttpRequest) -> str:
    return str(len(WAITING))


@app.route(route="release")
def release(req: func.HttpRequest) -> str:
    RELEASED.set()
    return "released"
