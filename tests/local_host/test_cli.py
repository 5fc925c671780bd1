import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from local_host.app_functions import AppFunctions, describe
from local_host.cli import main
from local_host.offline_child import offline_settings
from local_host.testing import ROOT, HostProcessError, running_host
from tests.local_host.calls import call

HEAD = """
import azure.functions as func
app = func.FunctionApp()
"""

HELLO = (
    HEAD
    + """
@app.route(route="hello", auth_level=func.AuthLevel.ANONYMOUS)
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
)


def app(folder: Path, code: str | None = HELLO, host_json: str | None = '{"version": "2.0"}') -> Path:
    if code is not None:
        (folder / "function_app.py").write_text(code)
    if host_json is not None:
        (folder / "host.json").write_text(host_json)
    return folder


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_host", *arguments]
    return subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ, **env}
    )


@pytest.mark.parametrize(
    ("code", "host_json", "reasons"),
    [
        ("import nosuch_module", "{}", ["No module named 'nosuch_module'", "does not load"]),
        ("def broken(:", "{}", ["SyntaxError"]),
        ("raise SystemExit(0)", "{}", ["SystemExit"]),
        (None, "{}", ["No function_app.py"]),
        (HELLO, None, ["There is no host.json"]),
        (HELLO, "{", ["cannot be read as JSON"]),
        (HELLO, '{"extensions": {"durableTask": {"maxConcurrentActivityFunctions": "%MAXA%"}}}', ["'%MAXA%'; it must"]),
    ],
)
def test_an_app_that_does_not_load_ends_with_the_reason_and_code_1(tmp_path, code, host_json, reasons):
    ended = run("start", "--port", "0", "--app-dir", str(app(tmp_path, code, host_json)))
    assert ended.returncode == 1
    for reason in reasons:
        assert reason in ended.stderr
    assert "Host ready" not in ended.stdout


def test_a_port_in_use_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("start", "--port", port, "--app-dir", str(app(tmp_path)))
    assert ended.returncode == 1
    assert f"port {port} cannot be taken" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_says_what_the_host_is_and_is_not(capsys):
    with pytest.raises(SystemExit) as left:
        main(["start", "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for phrase in (
        *("official worker library", "official in-memory engine", "What it is not", "lost when it"),
        *("checks no keys", "Event Hubs", "functionTimeout", "streams", "HEAD"),
    ):
        assert phrase in text


def test_help_lists_the_commands_without_importing_them(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(command in text for command in ("start", "offline-model", "demo"))


def test_an_app_with_modules_of_common_names_gets_its_own(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("ORIGIN = 'the app'")
    code = HELLO.replace("import azure", "from shared import ORIGIN\nimport azure").replace('"hello"\n', "ORIGIN\n")
    code = code.replace(
        "import azure", "import importlib.util\nassert not importlib.util.find_spec('triggers')\nimport azure", 1
    )
    with running_host(app(tmp_path, code)) as host:
        assert call("GET", host.base_url + "/api/hello").text == "the app"


def test_packages_that_were_installed_into_the_app_are_found(tmp_path):
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "bundled.py").write_text("TEXT = 'bundled'")
    code = HELLO.replace("import azure", "from bundled import TEXT\nimport azure").replace('"hello"\n', "TEXT\n")
    with running_host(app(tmp_path, code)) as host:
        assert call("GET", host.base_url + "/api/hello").text == "bundled"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_in_work_does_not_hold_up_the_stop(tmp_path, kind):
    code = (
        HEAD
        + f"""
import time
@app.route(route="stuck")
{kind} stuck(req: func.HttpRequest) -> str:
    print("stuck began")
    time.sleep(60)
    return "never"
"""
    )
    with running_host(app(tmp_path, code)) as host:
        port = int(host.base_url.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port))
        with contextlib.closing(client):
            client.sendall(b"GET /api/stuck HTTP/1.1\r\nHost: x\r\n\r\n")
            host.wait_for_line("stuck began")
            host.stop_limit_s = 4.0
            host.stop()
    assert "Traceback" not in host.output


def test_an_app_without_functions_is_served_with_a_hint(tmp_path):
    with running_host(app(tmp_path, HEAD)) as host:
        host.wait_for_line(r"^No job functions found\. ")
        assert call("GET", host.base_url + "/").status == 200


def test_functions_that_are_all_in_error_are_not_called_none():
    (heading, _, line, _) = describe(AppFunctions(errors={"broken": "its reason"}), "http://localhost", "api")
    assert heading == "Functions:"
    assert line == "The function 'broken' is in error: its reason"


def test_the_log_level_of_host_json_counts(tmp_path):
    code = (
        HEAD
        + """
import logging
@app.route(route="log")
def log(req: func.HttpRequest) -> str:
    logging.info("told quietly")
    logging.warning("told loudly")
    return ""
"""
    )
    folder = app(tmp_path, code, json.dumps({"version": "2.0", "logging": {"logLevel": {"default": "Warning"}}}))
    with running_host(folder) as host:
        call("GET", host.base_url + "/api/log")
        host.wait_for_line("WARNING told loudly")
    assert "told quietly" not in host.output


def test_what_http_clients_log_of_each_request_is_for_verbose_only(tmp_path):
    code = (
        HEAD
        + """
import logging
@app.route(route="log")
def log(req: func.HttpRequest) -> str:
    for name in ("httpx", "httpx2", "openai._base_client"):
        logging.getLogger(name).info("HTTP Request: by %s", name)
    logging.info("its own line")
    return ""
"""
    )
    for args, lines in ([], 0), (["--verbose"], 3):
        with running_host(app(tmp_path, code), args=args) as host:
            call("GET", host.base_url + "/api/log")
            host.wait_for_line("its own line")
        assert host.output.count("HTTP Request: by") == lines


MODEL = HELLO.replace('"hello"\n', "json.dumps(dict(os.environ))\n").replace(
    "import azure", "import json\nimport os\nimport azure"
)
NO_MODEL = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": " ", "AZURE_OPENAI_ENDPOINT": None, "CHORUS_MODEL": None}


def test_the_offline_model_runs_as_long_as_the_host(tmp_path):
    env = {**NO_MODEL, "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "intranet", "no_proxy": None}
    with running_host(app(tmp_path, MODEL), env=env, args=["--offline-model"]) as host:
        told = host.wait_for_line(r"the app uses the offline model on (\S+)")
        seen = call("GET", host.base_url + "/api/hello").json()
        url = seen["OPENAI_BASE_URL"]
        assert (url, seen["OPENAI_API_KEY"]) == (told[1], "offline")
        assert seen["CHORUS_MODEL"] == "offline-extractive"
        assert seen["NO_PROXY"] == seen["no_proxy"] == "intranet,127.0.0.1,localhost"
        request = urllib.request.Request(url + "/models", headers={"Authorization": "Bearer offline"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert "offline-extractive" in answer.read().decode()
    assert not listens(url)


def test_the_offline_model_ends_with_a_host_that_is_killed(tmp_path):
    host = running_host(app(tmp_path, MODEL), env=NO_MODEL, args=["--offline-model"]).start()
    url = host.wait_for_line(r"the app uses the offline model on (\S+)")[1]
    host.kill()
    with contextlib.suppress(ConnectionError), socket.create_connection(address(url), timeout=10) as connection:
        connection.recv(1)  # returns when the process at the other end is gone
    assert not listens(url)


def test_the_offline_model_stays_out_when_a_model_is_configured(tmp_path):
    env = {**NO_MODEL, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    with running_host(app(tmp_path, MODEL), env=env, args=["--offline-model"]) as host:
        host.wait_for_line("The offline model is not started: OPENAI_BASE_URL is set")
        seen = call("GET", host.base_url + "/api/hello").json()
        assert seen["OPENAI_BASE_URL"] == "http://127.0.0.1:1/v1"
        assert "CHORUS_MODEL" not in seen


def test_a_model_that_is_named_keeps_its_name_and_loopback_is_named_once():
    settings = offline_settings("http://127.0.0.1:1/v1", {"CHORUS_MODEL": "mine", "no_proxy": "localhost,intranet"})
    assert settings["CHORUS_MODEL"] == "mine"
    assert settings["NO_PROXY"] == "localhost,intranet,127.0.0.1"


def test_a_host_that_does_not_start_is_an_error_with_its_output(tmp_path):
    with pytest.raises(HostProcessError, match="nosuch_module"):
        running_host(app(tmp_path, "import nosuch_module")).start()


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    return host, int(port)


def listens(url: str) -> bool:
    try:
        socket.create_connection(address(url), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("shell", ["", 'trap "" INT; '], ids=["foreground", "background"])
def test_a_stop_while_the_app_loads_is_a_clean_end(tmp_path, shell):
    """A shell starts what runs in its background with SIGINT ignored."""
    folder = app(tmp_path, HEAD + "import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "local_host", "start", "--port", "0", "--app-dir", str(folder)]
    process = subprocess.Popen(
        ["bash", "-c", f'{shell}exec "$@"', "bash", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0
    assert "Traceback" not in output


def test_a_command_whose_stop_hangs_ends_after_whoever_started_it():
    code = "import local_host.cli as cli, time; cli._STOP_LIMIT_S = 0.1\n" + (
        "import signal; signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True))\n"
        "import threading; threading.Thread(target=cli._end_with_stdin, daemon=True).start()\n"
        "while True: time.sleep(0.01)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (1, b"told\n")


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_host_that_keeps_nothing_of_what_has_ended_is_refused(capsys, count):
    with pytest.raises(SystemExit, match="2"):
        main(["start", "--keep-ended", count])
    assert "whole number from 1 on" in capsys.readouterr().err
