"""`infra/host.scheduler.json`: `python -m tests.infra.host_variant` writes it from `host.json`."""

from __future__ import annotations

import re

from tests.infra.bicep import INFRA, ROOT

VARIANT = INFRA / "host.scheduler.json"
PROVIDER = re.compile(r'"storageProvider": \{[^{}]*\}')
SCHEDULER = """"storageProvider": {
        "type": "azureManaged",
        "connectionStringName": "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"
      }"""


def variant() -> str:
    """The text of `host.json`, with the Durable Task Scheduler for its storage provider."""
    text, times = PROVIDER.subn(SCHEDULER, (ROOT / "host.json").read_text(encoding="utf-8"))
    assert times == 1
    return text


if __name__ == "__main__":
    VARIANT.write_text(variant(), encoding="utf-8")
