"""Functions that answer in every way, and fail in every way."""

import asyncio
import sys
import time

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
BACKGROUND: list[asyncio.Task[None]] = []


@app.route(route="text")
def text(req: func.HttpRequest) -> str:
    return f"{req.method} {req.params.get('q')} {req.route_params.get('id')} {req.headers.get('X-A')}"


@app.route(route="echo")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), status_code=201, mimetype="application/octet-stream")


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    headers = func.HttpResponse().headers
    headers.add("Set-Cookie", "a=1; Path=/x; HttpOnly; Secure; SameSite=Lax")
    headers.add("Set-Cookie", "b=2; Max-Age=60; Expires=Wed, 21 Oct 2037 07:28:00 GMT")
    response = func.HttpResponse("ok")
    for name, value in headers.items():
        response.headers.add(name, value)
    return response


@app.route(route="nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]


@app.activity_trigger(input_name="value")
def same(value):
    return value


@app.activity_trigger(input_name="value")
def unserializable(value):
    return object()


@app.activity_trigger(input_name="kind")
def fails(kind: str):
    raise_one(kind)


@app.activity_trigger(input_name="kind")
async def fails_async(kind: str):
    raise_one(kind)


def raise_one(kind: str) -> None:
    if kind == "chained":
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error
    raise FAILURES[kind]()


def with_notes() -> ValueError:
    error = ValueError("with notes")
    error.add_note("Note: not the message")
    return error


class Mute(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


FAILURES = {
    "lines": lambda: ValueError("first line\nLooksLike: another error\n  third line"),
    "notes": with_notes,
    "silent": TimeoutError,
    "mute": Mute,
    "group": lambda: ExceptionGroup("several", [ValueError("a"), TypeError("b")]),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "stop": lambda: StopIteration("spent"),
}


@app.activity_trigger(input_name="value")
async def blocks_its_loop(value: float) -> str:
    time.sleep(value)  # noqa: ASYNC251 - that is the point
    return "done"


@app.activity_trigger(input_name="value")
async def leaves_a_bomb(value):
    async def bomb() -> None:
        sys.exit(9)

    BACKGROUND.append(asyncio.create_task(bomb()))
    return "left"


@app.activity_trigger(input_name="value")
async def waits_for_ever(value):
    await asyncio.Event().wait()


@app.activity_trigger(input_name="value")
def knows_its_name(value, context: func.Context) -> str:
    return f"{context.function_name} {context.invocation_id}"
