"""What a process has taken of the machine, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1_048_576


def cpu_s(pid: int) -> float:
    """The CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """The memory that a process has now."""
    return _status_bytes(pid, "VmRSS")


def _status_bytes(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1_024 * int(next(line for line in status.splitlines() if line.startswith(f"{field}:")).split()[1])
