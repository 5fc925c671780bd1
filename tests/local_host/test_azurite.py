from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from local_host.azurite import ROOT, AzuriteError, azurite_settings, running_azurite
from local_host.testing import running_host
from shared.azure_blobs import AzureBlobs
from shared.settings import load_storage_settings
from tests.local_host.processes import has_ended, watch

SHOW_SETTINGS = """
import json, os
import azure.functions as func

app = func.FunctionApp()

@app.route("settings", auth_level=func.AuthLevel.ANONYMOUS)
def settings(req):
    return func.HttpResponse(json.dumps({name: value for name, value in os.environ.items() if "CHORUS" in name}))
"""


def blobs_of(connection_string: str) -> AzureBlobs:
    settings = load_storage_settings(azurite_settings(connection_string, {}))
    assert settings is not None
    return AzureBlobs(settings, patience_s=5)


def is_listening(azurite: running_azurite) -> bool:
    try:
        urllib.request.urlopen(azurite.url, timeout=10)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


async def test_blobs_outlive_a_stop_and_a_start_on_the_same_port() -> None:
    async with running_azurite() as azurite:
        blobs = blobs_of(azurite.connection_string)
        await blobs.write("documents", "a", b"here")
        port, first = azurite.port, azurite.pid

        azurite.stop()
        assert not is_listening(azurite)
        azurite.start()

        assert (azurite.port, azurite.pid == first) == (port, False)
        assert await blobs.read("documents", "a") == b"here"
        await blobs.close()


def test_at_the_end_neither_process_nor_folder_is_left() -> None:
    with running_azurite() as azurite:
        assert azurite.pid is not None
        watched = watch(azurite.pid)
        folder = Path(f"/proc/{azurite.pid}/cwd").readlink()

    assert has_ended(watched)
    assert not folder.exists()


def test_it_ends_with_a_process_that_is_killed() -> None:
    code = (
        "import time; from local_host.azurite import running_azurite\n"
        "with running_azurite() as azurite: print(azurite.pid, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    watched = watch(int(owner.stdout.readline()))

    owner.send_signal(signal.SIGKILL)
    owner.communicate()

    assert has_ended(watched)


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(AzuriteError, match=r"install Node.js .* `make azurite`"), running_azurite():
        pass


def test_settings_of_one_s_own_stay() -> None:
    settings = azurite_settings("C=1", {"CHORUS_SOURCE_CONTAINERS": "mine", "CHORUS_SINK_CONTAINERS": " "})

    assert (settings["CHORUS_SOURCE_CONTAINERS"], settings["CHORUS_SINK_CONTAINERS"]) == ("mine", "results")


# With the local host

NO_STORAGE = {"CHORUS_STORAGE": None, "CHORUS_SOURCE_CONTAINERS": None, "CHORUS_SINK_CONTAINERS": None}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").write_text(SHOW_SETTINGS)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    return tmp_path


def seen_by(host: running_host) -> str:
    with urllib.request.urlopen(f"{host.base_url}/api/settings", timeout=10) as answer:
        return answer.read().decode()


async def test_the_host_starts_it_and_points_the_app_at_it(app: Path) -> None:
    async with running_host(app, env=NO_STORAGE, args=["--with-azurite"]) as host:
        connection_string = host.wait_for_line(r"the app uses Azurite, (\S+)")[1]
        blobs = blobs_of(connection_string)
        await blobs.write("documents", "a", b"here")

        assert await blobs.read("documents", "a") == b"here"
        assert f'"CHORUS_STORAGE": "{connection_string}"' in seen_by(host)
        assert '"CHORUS_SOURCE_CONTAINERS": "documents"' in seen_by(host)
        await blobs.close()


async def test_the_host_puts_the_samples_into_it_when_asked(app: Path) -> None:
    async with running_host(app, env=NO_STORAGE, args=["--with-azurite", "--with-samples"]) as host:
        blobs = blobs_of(host.wait_for_line(r"the app uses Azurite, (\S+)")[1])
        host.wait_for_line("42 documents of samples/ and docs/ are in the container documents")
        assert b"Rechnung" in await blobs.read("documents", "invoices/007-brandt.txt")
        await blobs.close()


def test_the_host_leaves_storage_that_is_configured_alone(app: Path) -> None:
    env = {"CHORUS_STORAGE": "UseDevelopmentStorage=true"}

    with running_host(app, env=env, args=["--with-azurite"]) as host:
        host.wait_for_line("Azurite is not started: CHORUS_STORAGE is set")
        assert '"CHORUS_STORAGE": "UseDevelopmentStorage=true"' in seen_by(host)


def test_the_host_starts_without_node_too(app: Path) -> None:
    with running_host(app, env={**NO_STORAGE, "PATH": "/nonexistent"}, args=["--with-azurite"]) as host:
        host.wait_for_line(r"Azurite is not installed. To have it, install Node.js")
