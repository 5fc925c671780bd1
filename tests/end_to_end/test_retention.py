"""The timer on the real host: it is wired, and leaves what is young alone."""

from __future__ import annotations

from tests.end_to_end.conftest import running_chorus

SECTIONS = {"input": "Material.", "sections": [{"name": "a", "instructions": "Say something."}]}


async def test_the_timer_purges_on_the_host_and_leaves_young_runs_alone() -> None:
    async with running_chorus(CHORUS_RETENTION_DAYS="3") as chorus:
        result = await chorus.run("sectioning", SECTIONS)
        async with chorus.session.post(f"{chorus.base_url}/admin/functions/purge_old_runs", json={"input": ""}) as done:
            assert done.status == 202
        assert await chorus.result(result["id"]) == result
        assert (await chorus.get("health"))[1]["retention_days"] == 3
