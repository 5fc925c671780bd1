import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

import azure.functions as func
from more import bp

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(bp)

ticks = []


@app.route(route="echo", methods=["POST", "PUT"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(
        req.get_body(), mimetype="application/octet-stream", headers={"X-Length": str(len(req.get_body()))}
    )


@app.route(route="inspect")
def inspect(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    body = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "tag": req.headers.get("X-TAG"),
        "function": context.function_name,
        "settings": [os.environ["GREETING"], os.environ["OVERRIDDEN"]],
        "cwd": str(Path.cwd()),
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.route()
def named_by_its_function(req: func.HttpRequest) -> str:
    return "no route given"


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("ok", status_code=201)
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add("Set-Cookie", "b=2; Max-Age=60")
    return response


@app.route(route="boom")
async def boom(req: func.HttpRequest) -> str:
    raise ValueError("the reason of the failure")


@app.route(route="exit")
def exit_process(req: func.HttpRequest) -> str:
    sys.exit(3)


@app.route(route="utf8")
def utf8(req: func.HttpRequest) -> str:
    logging.getLogger("shop").warning("an order of %s", req.params.get("what"))
    return "grüße"


@app.route(route="slow")
async def slow(req: func.HttpRequest) -> str:
    logging.info("slow began")
    await asyncio.sleep(float(req.params.get("seconds", "0.2")))
    logging.info("slow ended")
    return "done"


@app.route(route="blocking")
async def blocking(req: func.HttpRequest) -> str:
    logging.info("blocking began")
    wait_for_file(req.params["until"])
    return "done"


def wait_for_file(name: str) -> None:
    while not Path(name).exists():
        time.sleep(0.01)


@app.route(route="bad/{id:nosuch}")
def bad_route(req: func.HttpRequest) -> str:
    return "never"


@app.timer_trigger(schedule="%EVERY_SECOND%", arg_name="timer", run_on_startup=True)
def tick(timer: func.TimerRequest) -> None:
    logging.info("tick %s past_due=%s", len(ticks), timer.past_due)
    ticks.append(timer.schedule_status["Next"])


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
async def yearly(timer: func.TimerRequest) -> None:
    logging.info("yearly ran")


@app.timer_trigger(schedule="every day", arg_name="timer")
def unreadable(timer: func.TimerRequest) -> None: ...


@app.queue_trigger(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
def from_queue(msg: func.QueueMessage) -> None:
    logging.info("queue message %s", msg.get_body().decode())


@app.route(route="enqueue")
@app.queue_output(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
def enqueue(req: func.HttpRequest, msg: func.Out[str]) -> str:
    msg.set("x")
    return "queued"


@app.route(route="blob")
@app.blob_input(arg_name="blob", path="a/b", connection="AzureWebJobsStorage")
def read_blob(req: func.HttpRequest, blob: func.InputStream) -> str:
    return "never"
