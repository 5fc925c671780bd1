"""Cold start: importing `function_app`, against importing a Durable Functions app with one function and nothing else.

Every import is a fresh process; the two kinds take turns, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import ROOT, Figures, table, verdict

BARE_APP = """\
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route("hello", methods=["GET"])
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
"""
TIMED_IMPORT = """\
import json, sys, time
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
import function_app
elapsed = time.perf_counter() - started
import function_app
print(json.dumps({"seconds": elapsed, "file": function_app.__file__, "modules": sorted(sys.modules)}))
"""
NOT_AT_START = ("openai", "azure.identity", "pydantic", "jsonschema", "opentelemetry.sdk", "azure.monitor")
NO_INSIGHTS = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=http://127.0.0.1:9"
TELEMETRY = {
    "an OTLP endpoint": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    "Azure Monitor": {"APPLICATIONINSIGHTS_CONNECTION_STRING": NO_INSIGHTS},
}
"""Where the app tells of itself, by the settings that say so; nobody listens there."""


def main() -> int:
    """Measure, print, and compare with `--max-ratio`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=10, help="processes of each kind (default 10)")
    parser.add_argument("--max-ratio", type=float, help="fail above this ratio")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as bare_dir:
        Path(bare_dir, "function_app.py").write_text(BARE_APP, "utf-8")
        for app_dir in (bare_dir, str(ROOT)):
            timed_import(app_dir)  # writes the bytecode caches and fills the disk cache
        pairs = [(timed_import(bare_dir), timed_import(str(ROOT))) for _ in range(args.repeat)]
    bare = Figures(tuple(first["seconds"] for first, _ in pairs))
    chorus = Figures(tuple(second["seconds"] for _, second in pairs))
    rows = [row("bare DFApp, one function", bare), row("chorus", chorus)]
    rows += [row(f"chorus, telling {where}", telling(env, args.repeat)) for where, env in TELEMETRY.items()]
    print(f"Import of function_app in a fresh process, {args.repeat} times each, in turns")
    print(table(["app", "median", "min", "max"], rows))
    ratio = chorus.median / bare.median
    print(f"ratio of the medians: {ratio:.3f}")
    loaded = set(pairs[0][1]["modules"])
    early = [name for name in NOT_AT_START if name in loaded]
    print(f"loaded at start of {', '.join(NOT_AT_START)}: {', '.join(early) or 'none'}")
    if early:
        print(f"These should load on first use: {', '.join(early)}.", file=sys.stderr)
        return 1
    return verdict("The cold start ratio", ratio, args.max_ratio)


def telling(env: dict[str, str], repeat: int) -> Figures:
    """Import Chorus with telemetry on, after once that does not count."""
    seconds = [timed_import(str(ROOT), env)["seconds"] for _ in range(repeat + 1)]
    return Figures(tuple(seconds[1:]))


def timed_import(app_dir: str, telemetry: dict[str, str] | None = None) -> dict[str, Any]:
    """Import the app in `app_dir` in a process of its own: seconds, and the modules that are loaded then."""
    others = {name: value for name, value in os.environ.items() if not any(name in env for env in TELEMETRY.values())}
    command = [sys.executable, "-c", TIMED_IMPORT, app_dir]
    env = others | (telemetry or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=app_dir, env=env)
    if done.returncode != 0:
        raise SystemExit(f"The app in {app_dir!r} does not import:\n{done.stderr}")
    report = json.loads(done.stdout)
    if Path(report["file"]).resolve().parent != Path(app_dir).resolve():
        raise SystemExit(f"Imported {report['file']!r} instead of the app in {app_dir!r}.")
    return report


def row(name: str, figures: Figures) -> list[str]:
    """A line of the table, in milliseconds."""
    return [name, *(f"{value * 1000:.0f} ms" for value in (figures.median, figures.least, figures.most))]


if __name__ == "__main__":
    sys.exit(main())
