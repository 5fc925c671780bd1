"""Runs in storage as tests make them: a folder with a request and pages of documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.branch import AgentReply, BranchError, Usage
from shared.contracts.results import DocumentResult
from shared.contracts.work import DocumentWork, Page, RunFolder, TextPlace, Unit, UnitCall, Work, WorkFailure
from shared.document_results import Answered, Material, document_of, failure, line_of, result_in, success
from shared.stored_names import document_blob, page_blob
from tests.shared.memory_blobs import MemoryBlobs

FOLDER = RunFolder(container="results", name="runs/r1/", run_id="r1")
AGENT: dict[str, Any] = {"instructions": "Summarise the incident in one sentence."}
TEXTS = {
    "disk.txt": "The disk of the orders database was full at 3 am. Nobody was paged for 40 minutes.",
    "shop/certificate.txt": "The certificate of the shop expired on Monday. 12 customers saw errors.",
    "search.txt": "The search index was stale for 6 hours. A job had hung.",
}
REFUSED = BranchError(code="refused", message="the model declined", retriable=False)


def folder(run_id: str) -> RunFolder:
    return RunFolder(container="results", name=f"runs/{run_id}/", run_id=run_id)


def storage(texts: Mapping[str, str | bytes] = TEXTS, agent: Mapping[str, Any] = AGENT) -> MemoryBlobs:
    """Documents in `documents`, and the folder of a run that reads them, with its request."""
    request = {"map": agent, "reduce": AGENT, "source": {"container": "documents"}, "sink": {"container": "results"}}
    encoded = {name: text.encode() if isinstance(text, str) else text for name, text in texts.items()}
    return MemoryBlobs({"documents": encoded, "results": {f"{FOLDER.name}request.json": json.dumps(request).encode()}})


def work(name: str, **about: Any) -> Work:
    """The work of a blob as a whole."""
    text = about.pop("text", None) or TextPlace(container="documents", blob=name)
    place = DocumentWork(text=text, **({"document": name, "blob": name} | about))
    return Work(name=name, place=place.model_dump(mode="json"))


def unit(*works: Work | str, name: str = "1.1") -> Unit:
    return Unit(name=name, works=[work(one) if isinstance(one, str) else one for one in works])


def call(*works: Work | str, within_s: float = 10.0, attempt: int = 1, **fields: Any) -> UnitCall:
    return UnitCall(
        folder=FOLDER,
        stage="map",
        unit=unit(*works),
        attempt=attempt,
        instance="r1:~map-1",
        deadline=datetime.now(UTC) + timedelta(seconds=within_s),
        **fields,
    )


def put_page(blobs: MemoryBlobs, number: int, units: Sequence[Unit], where: RunFolder = FOLDER) -> None:
    put(blobs, page_blob(where, "map", number), Page(units=list(units)).model_dump_json().encode())


def put(blobs: MemoryBlobs, name: str, data: bytes) -> None:
    blobs.containers["results"][name] = MemoryBlobs({"x": {"x": data}}).containers["x"]["x"]


def put_answer(blobs: MemoryBlobs, name: str, output: Any = "fine", where: RunFolder = FOLDER) -> bytes:
    """Write the result of a work as its call would."""
    made = work(name)
    usage = Usage(model_calls=1, input_tokens=10, output_tokens=2, total_tokens=12)
    answered = Answered(AgentReply(output=output, model="m"), None, 1, "documents", datetime.now(UTC))
    line = line_of(success(Material(made, document_of(made), "text"), output, usage, answered))
    put(blobs, document_blob(where, name), line)
    return line


def put_failure(blobs: MemoryBlobs, name: str, where: RunFolder = FOLDER) -> bytes:
    """Write the failure of a work as the closing of its page would."""
    line = line_of(failure(work(name), failed(name), "documents", datetime.now(UTC)))
    put(blobs, document_blob(where, name), line)
    return line


def failed(name: str, **fields: Any) -> WorkFailure:
    return WorkFailure(**({"name": name, "status": "failed", "error": REFUSED, "calls": 2} | fields))


def result(blobs: MemoryBlobs, name: str, where: RunFolder = FOLDER) -> DocumentResult:
    return result_in(blobs.contents("results")[document_blob(where, name)])


def results(blobs: MemoryBlobs, where: RunFolder = FOLDER) -> list[str]:
    """The blobs of documents in a run's folder, by their names in it."""
    prefix = f"{where.name}documents/"
    return [name.removeprefix(prefix) for name in blobs.contents("results", prefix)]
