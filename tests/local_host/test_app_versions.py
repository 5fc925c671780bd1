"""The host gives an app's runs the version of its host.json."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp

from local_host.testing import running_host

APP = """\
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.orchestration_trigger(context_name="context")
def version_of(context):
    yield context.create_timer(context.current_utc_datetime)
    return context.version


@app.route("start")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    instance_id = await client.start_new("version_of")
    state = await client.wait_for_orchestration_completion(instance_id, timeout=20)
    return func.HttpResponse(state.serialized_output)
"""


async def test_a_run_has_the_version_of_host_json(tmp_path: Path) -> None:
    durable = {"defaultVersion": "3.1"}
    (tmp_path / "host.json").write_text(json.dumps({"version": "2.0", "extensions": {"durableTask": durable}}))
    (tmp_path / "function_app.py").write_text(APP)
    async with (
        running_host(tmp_path) as host,
        aiohttp.ClientSession() as session,
        session.get(f"{host.base_url}/api/start") as answer,
    ):
        assert json.loads(await answer.text()) == "3.1"
