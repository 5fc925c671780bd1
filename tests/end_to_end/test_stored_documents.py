"""Map-reduce over Blob Storage from HTTP request to files: every format in, every file out."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import JSON, verdict
from tests.end_to_end.stored import EMPTY, SINK, Stored, counts, request, running_stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Pump {0} stopped. The seal of pump {0} was worn. Nobody was hurt."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored() -> AsyncIterator[Stored]:
    async with running_stored() as running:
        yield running


async def test_text_blobs_are_read_and_every_file_is_written(stored: Stored) -> None:
    texts = {f"text/{n:02d}.txt": TEXT.format(n) for n in range(12)}
    for name, text in texts.items():
        stored.put(name, text)
    result = await stored.run("text/")
    assert verdict(result) == ("succeeded", "all_completed")
    assert counts(result) == {"documents": 12, "works": 12, "succeeded": 12, "failed": 0, "reused": 0}
    assert (result["missing"], result["outcomes"]) == ([], [])
    lines = stored.lines(result, "results")
    assert [line["id"] for line in lines] == sorted(texts)
    assert {line["id"]: line["source"]["sha256"] for line in lines} == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()
    }
    assert all("seal" in line["output"] for line in lines)
    assert stored.get(result["files"]["failures"]) == b""
    manifest = stored.manifest(result)
    data = stored.get(result["files"]["results"])
    assert manifest["files"]["results.jsonl"] == {
        "bytes": len(data),
        "lines": 12,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    assert manifest["usage"] == result["usage"]
    one = json.loads(stored.get(f"{result['files']['documents']}text/03.txt.json"))
    assert one == lines[3]


async def test_lines_rows_items_and_compressed_blobs_are_documents(stored: Stored) -> None:
    stored.put("formats/a.jsonl", "".join(json.dumps({"id": n, "text": TEXT.format(n)}) + "\n" for n in range(3)))
    stored.put("formats/b.csv", 'pump,text,owner\n1,"It stopped.\nThe seal, worn.",Ann\n2,It leaked.,Bob\n')
    stored.put("formats/c.json", json.dumps({"data": {"items": [TEXT.format(1), {"text": TEXT.format(2)}]}}))
    stored.put("formats/d.jsonl.gz", gzip.compress(b'{"text": "The fan was dirty. It stopped."}\n' * 2))
    stored.put("formats/e.txt", TEXT.format(7).encode("utf-16"))
    found: dict[str, list[str]] = {}
    for glob, source in {
        "*.jsonl": {"format": "jsonl"},
        "*.csv": {"format": "csv", "columns": ["pump", "text"]},
        "*.json": {"format": "json", "path": "data.items"},
        "*.jsonl.gz": {"format": "jsonl"},
        "*.txt": {"format": "text"},
    }.items():
        result = await stored.run("formats/", source={"glob": glob, **source})
        assert verdict(result) == ("succeeded", "all_completed"), glob
        found[glob] = [line["id"] for line in stored.lines(result, "results")]
    assert found == {
        "*.jsonl": ["formats/a.jsonl#1", "formats/a.jsonl#2", "formats/a.jsonl#3"],
        "*.csv": ["formats/b.csv#1", "formats/b.csv#2"],
        "*.json": ["formats/c.json#1", "formats/c.json#2"],
        "*.jsonl.gz": ["formats/d.jsonl.gz#1", "formats/d.jsonl.gz#2"],
        "*.txt": ["formats/e.txt"],
    }


async def test_documents_of_the_request_can_be_written_to_a_sink(stored: Stored) -> None:
    documents = [{"id": f"d{n}", "content": TEXT.format(n)} for n in range(4)]
    body = {"documents": documents, "sink": {"container": SINK, "prefix": "mine/"}, "map": {"instructions": "Why?"}}
    result = await stored.chorus.run("map-reduce", {**body, "reduce": "concatenate"})
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["files"]["folder"] == f"mine/{result['id']}/"
    assert [line["id"] for line in stored.lines(result, "results")] == ["d0", "d1", "d2", "d3"]


async def test_a_batch_is_one_call_and_each_document_has_its_own_answer(stored: Stored) -> None:
    for n in range(10):
        stored.put(f"batch/{n}.txt", f"Machine {n} failed. The cause was part {n}{n}.")
    before = stored.chorus.model.calls
    result = await stored.run("batch/", batch_size=4)
    assert verdict(result) == ("succeeded", "all_completed")
    assert stored.chorus.model.calls - before == 3
    assert result["usage"]["model_calls"] == 3
    lines = stored.lines(result, "results")
    assert [
        (line["id"], f"{n}{n}" in line["output"] or f"Machine {n}" in line["output"]) for n, line in enumerate(lines)
    ] == [(f"batch/{n}.txt", True) for n in range(10)]
    assert sum(line["usage"]["total_tokens"] for line in lines) == result["usage"]["total_tokens"]


async def test_a_long_blob_is_split_and_its_parts_are_cited(stored: Stored) -> None:
    stored.put(
        "long/manual.txt", "\n".join(f"Line {n}: valve {n} is checked every {n % 9 + 1} days." for n in range(400))
    )
    result = await stored.run("long/", split={"by": "lines", "size": 100})
    lines = stored.lines(result, "results")
    assert [line["name"] for line in lines] == [f"long/manual.txt+{part}" for part in range(1, 5)]
    assert [(line["first_line"], line["last_line"]) for line in lines] == [(1, 100), (101, 200), (201, 300), (301, 400)]
    assert result["counts"]["documents"] == 1
    assert result["counts"]["works"] == 4


async def test_an_empty_listing_says_what_was_looked_for(stored: Stored) -> None:
    result = await stored.run("nothing-here/")
    assert result["status"] == "failed"
    assert result["error"]["code"] == "no_documents"
    assert "nothing-here/" in result["error"]["message"]


async def test_an_empty_container_says_that_there_is_nothing(stored: Stored) -> None:
    stored.make(EMPTY)
    result = await stored.run("", source={"container": EMPTY})
    assert verdict(result) == ("failed", "planning_failed")
    assert result["error"]["code"] == "no_documents"
    assert EMPTY in result["error"]["message"]


@pytest.mark.parametrize(
    ("field", "container"), [("source", "secrets"), ("sink", "documents"), ("source", "azure-webjobs-hosts")]
)
async def test_a_container_that_is_not_allowed_is_refused(stored: Stored, field: str, container: str) -> None:
    stored.put("a.txt", "secret", container="secrets")
    body = request(
        "", **({"source": {"container": container}} if field == "source" else {"sink": {"container": container}})
    )
    status, problem, _ = await stored.chorus.post("map-reduce", body)
    assert (status, problem["code"]) == (403, "container_not_allowed")
    assert problem["errors"][0]["path"] == f"{field}.container"


async def test_the_view_tells_progress_and_the_result_is_small(stored: Stored) -> None:
    for n in range(300):
        stored.put(f"many/{n:03d}.txt", TEXT.format(n))
    run_id = await stored.chorus.start("map-reduce", request("many/", policy={"max_concurrency": 10}))
    view = await stored.chorus.until(run_id, lambda view: view["progress"]["done"] > 20 or view["phase"] == "done")
    assert view["progress"]["total"] == 300
    assert view["branches"] == []
    seen: list[tuple[int, int]] = []

    def is_done(view: JSON) -> bool:
        assert view["progress"]["done"] <= view["progress"]["total"]
        seen.append((view["progress"]["done"], view["usage"]["total_tokens"]))
        return view["phase"] == "done"

    await stored.chorus.until(run_id, is_done)
    done, tokens = zip(*seen, strict=True)
    assert (list(done), list(tokens)) == (sorted(done), sorted(tokens)), "what was counted once stays counted"
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("succeeded", "all_completed")
    assert len(json.dumps({**result, "output": None})) < 5_000
    _, view, _ = await stored.chorus.get(f"runs/{run_id}/view")
    assert (view["progress"]["done"], view["progress"]["succeeded"]) == (300, 300)
