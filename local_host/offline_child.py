"""Starts the offline model as a process of its own for as long as the host runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

_MODEL_SETTINGS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT")
_PREFIX = "Offline model on "
_STOP_LIMIT_S = 3.0


class OfflineModelError(Exception):
    """The offline model did not start."""


class OfflineChild:
    """The offline model's process; it ends when its standard input closes, also if the host is killed."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local_host", "offline-model", "--port", "0", "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        self.base_url = ""

    def __enter__(self) -> Self:
        """Wait for the line that tells the URL."""
        line = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not line.startswith(_PREFIX):
            self.__exit__()
            raise OfflineModelError(f"The offline model did not start; it said {line!r}.")
        self.base_url = line.removeprefix(_PREFIX)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def chosen_model(environ: Mapping[str, str]) -> str | None:
    """Return the setting that names a real model, if one does."""
    return next((name for name in _MODEL_SETTINGS if environ.get(name, "").strip()), None)


def offline_settings(base_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to an app's environment so that it calls the offline model, past any proxy."""
    return {
        "AZURE_OPENAI_ENDPOINT": "",
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": "offline",
        "CHORUS_MODEL": environ.get("CHORUS_MODEL", "").strip() or "offline-extractive",
        **past_proxies(environ),
    }


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to an environment so that this machine's servers are called past any proxy."""
    direct = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    no_proxy = ",".join(dict.fromkeys(filter(None, [*direct.split(","), "127.0.0.1", "localhost"])))
    return {"NO_PROXY": no_proxy, "no_proxy": no_proxy}
