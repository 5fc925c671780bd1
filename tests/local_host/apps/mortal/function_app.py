"""Functions that end their worker process, and others that are in it meanwhile."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

if "APP_LOADS" in os.environ:
    with Path(os.environ["APP_LOADS"]).open("a") as loads:
        loads.write(f"{os.getpid()}\n")
if "APP_DIES" in os.environ:
    print("about to die", flush=True)
    os._exit(int(os.environ["APP_DIES"]))


class Colour(StrEnum):
    RED = "red"


@app.activity_trigger(input_name="value")
def same(value):
    return value


@app.activity_trigger(input_name="value")
def pid(value) -> int:
    return os.getpid()


@app.activity_trigger(input_name="code")
def ends_its_process(code: int) -> None:
    os._exit(code)


@app.activity_trigger(input_name="number")
def kills_itself(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)  # a signal may take a moment


def say_that_it_began(path: str) -> None:
    """Add one letter to a file for each time that the function runs."""
    with Path(path + ".began").open("a") as began:
        began.write("x")


async def there_is(path: str) -> None:
    while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240, PTH110 - another process makes it
        await asyncio.sleep(0.01)


@app.activity_trigger(input_name="path")
async def waits_for(path: str) -> str:
    say_that_it_began(path)
    await there_is(path)
    return "went on"


@app.activity_trigger(input_name="path")
def blocks_a_thread(path: str) -> None:
    say_that_it_began(path)
    time.sleep(60)


@app.activity_trigger(input_name="path")
async def blocks_the_loop(path: str) -> None:
    say_that_it_began(path)
    time.sleep(60)  # noqa: ASYNC251


@app.activity_trigger(input_name="value")
def forks(value) -> int:
    """Leave a process behind that keeps everything open which this one has open."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    return child


@app.activity_trigger(input_name="value")
def closes_every_file(value) -> None:
    os.closerange(3, 256)
    time.sleep(60)


@app.activity_trigger(input_name="value")
def asks_a_child_about_signals(value) -> str:
    code = "import signal as s; print(s.getsignal(s.SIGINT) is s.default_int_handler, s.pthread_sigmask(0, []))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@app.activity_trigger(input_name="value")
def open_sockets_of_a_child(value) -> int:
    code = "import os; print(sum('socket' in os.readlink(f'/proc/self/fd/{n}') for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')))"  # noqa: E501
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


@app.route(route="coloured")
def coloured(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(Colour.RED, headers={"x-colour": Colour.RED})


@app.route(route="echo")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), mimetype="application/octet-stream")


@app.route(route="die")
def die(req: func.HttpRequest) -> str:
    print("a request that dies", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@app.route(route="wait")
async def wait(req: func.HttpRequest) -> str:
    say_that_it_began(req.params["path"])
    await there_is(req.params["path"])
    return "went on"


@app.orchestration_trigger(context_name="context")
def mixes(context: df.DurableOrchestrationContext):
    """Call activities by name and argument, side by side; a failure is its text."""
    tasks = [context.call_activity(name, argument) for name, argument in context.get_input()]
    try:
        yield context.task_all(tasks)
    except Exception as error:
        if not all(task.is_complete for task in tasks):
            raise RuntimeError("task_all waits for all") from error
    return [str(task.get_exception()) if task.is_failed else task.get_result() for task in tasks]


@app.orchestration_trigger(context_name="context")
def holds_its_turn(context: df.DurableOrchestrationContext):
    path = context.get_input()
    say_that_it_began(path)
    while not Path(path).exists():
        time.sleep(0.01)
    return "went on"
    yield


@app.orchestration_trigger(context_name="context")
def deadly(context: df.DurableOrchestrationContext):
    os._exit(7)
    yield


@app.orchestration_trigger(context_name="context")
def calls_the_entity(context: df.DurableOrchestrationContext):
    operation, argument = context.get_input()
    try:
        return (yield context.call_entity(df.EntityId("keeper", "k"), operation, argument))
    except Exception as error:
        return f"failed: {error}"


@app.entity_trigger(context_name="context")
def keeper(context: df.DurableEntityContext):
    path = context.get_input()
    if context.operation_name == "die":
        os._exit(8)
    say_that_it_began(path)
    while not Path(path).exists():
        time.sleep(0.01)
    context.set_state(context.get_state(lambda: 0) + 1)
    context.set_result(context.get_state(lambda: 0))
