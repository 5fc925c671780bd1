"""The durable names: what orchestrations and activities are called in history. Renaming one breaks running runs."""

from __future__ import annotations

from typing import Final

SECTIONING: Final = "sectioning"
VOTING: Final = "voting"
MAP_REDUCE: Final = "map_reduce"
AGENT_BRANCH: Final = "agent_branch"

CALL_AGENT: Final = "call_agent"
STOP_BRANCHES: Final = "stop_branches"

CANCEL_EVENT: Final = "cancel"


def branch_instance_id(run_id: str, branch: str) -> str:
    """The instance id of the child orchestration that runs `branch`."""
    return f"{run_id}:{branch}"
