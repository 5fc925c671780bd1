"""schemathesis against the app on the local host: makes requests of the API's own definition, and holds answers to it.

`python -m tests.end_to_end.fuzz [CASES]` is the longer run: more requests of each operation, other ones each time, and
the boundaries of the contracts tried by starts, too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.conftest import running_chorus

CONFIG = Path(__file__).with_name("schemathesis.toml")
USUAL_EXAMPLES = 50
DETERMINISTIC = "deterministic = true"
BY_ESTIMATES_ALONE = """
# An estimate checks a request as strictly as a start does, and starts nothing.
[[operations]]
include-operation-id-regex = "^Start"
[operations.phases.coverage]
enabled = false
"""


async def fuzzed(base_url: str, config: str, examples: int, limit_s: float) -> tuple[int, str]:
    """The exit code of schemathesis, and what it says; `examples` of each operation, beside its boundaries."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schemathesis.toml"
        file.write_text(config)
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"), "--config-file", file, "run", "--max-examples",
            str(examples), "--workers", "2", "--continue-on-failure", "--no-color", f"{base_url}/api/openapi.json",
            cwd=folder, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(limit_s):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return await process.wait(), said.decode()


async def long_run(examples: int) -> int:
    """Start the app and try it; the exit code."""
    config = CONFIG.read_text().replace(DETERMINISTIC, "deterministic = false")
    async with running_chorus() as chorus:
        code, said = await fuzzed(chorus.base_url, config, examples, limit_s=3_600)
    sys.stdout.write(said)
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(long_run(int(sys.argv[1]) if len(sys.argv) > 1 else USUAL_EXAMPLES)))
