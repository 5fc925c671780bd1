"""Scale: map-reduce over 100, 1,000 and 10,000 documents, 100 calls at a time, with Azurite and a model of 50 ms.

For each number of documents: seconds from POST to result, documents a second, the peak memory of the host and of its
worker (a fresh pair each), and the longest history of the run's orchestrations. Then nothing may be missing: the ids
and SHA-256 of `results.jsonl` are compared with the documents as they were uploaded, its own hash with the manifest's.

With `--repeat` the sizes take turns, and medians are shown and compared.

The documents are lines of JSONL blobs, or with `--format text` a blob each. Azurite takes longer for each operation the
more blobs it has, which Azure Storage does not: "Azurite" is the CPU time that it took for a document of the run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from figures import Figures, table, verdict
from processes import MIB, cpu_s, peak_bytes

SIZES = (100, 1_000, 10_000)
MAX_CONCURRENCY = 100
LATENCY_S = 0.05
POLL_S = 0.5
LIMIT_S = 1_800.0
LINES_A_BLOB = 1_000
SOURCE, SINK = "documents", "results"
RUNNING = 202
PLACES = ("the paint shop", "the press line", "hall 3", "the cold store", "the loading dock", "the boiler house")
CAUSES = ("a worn bearing", "a tripped breaker", "a leaking seal", "a misread sensor", "a jammed conveyor")


@dataclass(frozen=True, slots=True)
class Scaled:
    """One run."""

    documents: int
    wall_s: float
    azurite_s: float
    host_bytes: int
    worker_bytes: int
    orchestrations: int
    longest_history: int
    calls: int
    problems: tuple[str, ...]

    def row(self) -> list[str]:
        """As the table shows it."""
        rate = self.documents / self.wall_s
        memory = [f"{value / MIB:,.0f} MiB" for value in (self.host_bytes, self.worker_bytes)]
        counts = [f"{value:,}" for value in (self.orchestrations, self.longest_history, self.calls)]
        azurite = f"{1_000 * self.azurite_s / self.documents:.1f} ms"
        return [
            f"{self.documents:,}",
            f"{self.wall_s:.1f} s",
            f"{rate:.0f}",
            azurite,
            *memory,
            *counts,
            str(len(self.problems)),
        ]


def document(number: int) -> str:
    """A report of about 700 characters; no two are alike."""
    place, cause = PLACES[number % len(PLACES)], CAUSES[number % len(CAUSES)]
    lines = [f"Shift report {number:06d}.", f"Production in {place} stopped for {number % 97 + 3} minutes."]
    lines += [f"The cause was {cause}, found by technician {number % 41}."]
    lines += [f"Reading {step}: pressure {(number * 7 + step * 13) % 100} bar, normal." for step in range(12)]
    return "\n".join(lines) + "\n"


def request(prefix: str, source_format: str) -> dict[str, Any]:
    """All documents under `prefix`, and a reduction that reads everything."""
    return {
        "source": {"container": SOURCE, "prefix": prefix, "format": source_format},
        "sink": {"container": SINK},
        "map": {"instructions": "State the cause of the stop.", "max_output_tokens": 60},
        "reduce": {"instructions": "Which causes are most frequent?", "max_output_tokens": 200},
        "policy": {"max_concurrency": MAX_CONCURRENCY, "deadline_s": LIMIT_S},
    }


class Stack:
    """The app, its model and its storage, each a process of its own."""

    def __init__(self, host: Any, model_url: str, storage: Any, azurite_pid: int) -> None:
        self._azurite_pid = azurite_pid
        self._host = host
        self._model_url = model_url.removesuffix("/v1")
        self._storage = storage

    def upload(self, texts: Sequence[str], prefix: str, as_lines: bool) -> dict[str, str]:
        """Write the documents; return the SHA-256 of each by its id."""
        container = self._storage.create_container(SOURCE)
        digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        if not as_lines:
            names = [f"{prefix}report-{number:06d}.txt" for number in range(len(texts))]
            for name, text in zip(names, texts, strict=True):
                container.upload_blob(name, text.encode())
            return dict(zip(names, digests, strict=True))
        ids: list[str] = []
        for first in range(0, len(texts), LINES_A_BLOB):
            lines = [json.dumps(text) for text in texts[first : first + LINES_A_BLOB]]
            name = f"{prefix}reports-{first // LINES_A_BLOB:03d}.jsonl"
            container.upload_blob(name, "\n".join(lines).encode())
            ids += [f"{name}#{line}" for line in range(1, len(lines) + 1)]
        return dict(zip(ids, digests, strict=True))

    def measured(self, count: int, source_format: str) -> Scaled:
        """Upload so many documents, run over them, and look at what came of it."""
        prefix = f"{count}/"
        digests = self.upload([document(number) for number in range(count)], prefix, source_format == "jsonl")
        fetched(f"{self._model_url}/admin/reset?seed=1", method="POST")
        azurite_s = cpu_s(self._azurite_pid)
        started = time.perf_counter()
        run_id = fetched(f"{self._host.base_url}/api/map-reduce", request(prefix, source_format))["id"]
        result = self._result(run_id, started)
        wall_s = time.perf_counter() - started
        azurite_s = cpu_s(self._azurite_pid) - azurite_s
        histories = self._histories(run_id)
        return Scaled(
            documents=count,
            wall_s=wall_s,
            azurite_s=azurite_s,
            host_bytes=peak_bytes(self._host.pid),
            worker_bytes=max(peak_bytes(pid) for pid in self._host.worker_pids),
            orchestrations=len(histories),
            longest_history=max(histories),
            calls=fetched(f"{self._model_url}/admin/stats")["calls"],
            problems=tuple(self._problems(result, digests)),
        )

    def _result(self, run_id: str, started: float) -> dict[str, Any]:
        while True:
            time.sleep(POLL_S)
            result = fetched(f"{self._host.base_url}/api/runs/{run_id}")
            if result["status"] not in {"pending", "running"}:
                return result
            if time.perf_counter() - started > LIMIT_S:
                raise SystemExit(f"Run {run_id!r} has no result after {LIMIT_S:g} s.")

    def _histories(self, run_id: str) -> list[int]:
        """The number of events of each orchestration of the run."""
        from activities.names import children_prefix

        instances = f"{self._host.base_url}/runtime/webhooks/durabletask/instances"
        children = fetched(f"{instances}?instanceIdPrefix={children_prefix(run_id)}&showInput=false")
        ids = [run_id, *(child["instanceId"] for child in children)]
        return [len(fetched(f"{instances}/{each}?showHistory=true")["historyEvents"]) for each in ids]

    def _problems(self, result: Mapping[str, Any], digests: Mapping[str, str]) -> Iterator[str]:
        """What is not as it must be: lost, doubled or changed documents, wrong counts, wrong hashes."""
        if (result["status"], len(digests)) != ("succeeded", result["counts"]["succeeded"]):
            yield f"the run ended {result['status']} with counts {result['counts']}"
        files = result["files"]
        sink = self._storage.get_container_client(SINK)
        manifest = json.loads(sink.download_blob(files["manifest"]).readall())
        data = sink.download_blob(files["results"]).readall()
        stated = manifest["files"]["results.jsonl"]
        if (hashlib.sha256(data).hexdigest(), len(data)) != (stated["sha256"], stated["bytes"]):
            yield "the manifest's hash or size of results.jsonl is not that of the blob"
        lines = [json.loads(line) for line in data.splitlines()]
        found = {line["id"]: line["source"]["sha256"] for line in lines}
        if len(lines) != len(digests) or found != digests:
            yield f"results.jsonl has {len(lines):,} lines and {len(found):,} ids for {len(digests):,} documents"


def median(runs: Sequence[Scaled]) -> Scaled:
    """The medians of times and memory, the largest history, and every problem."""

    def of(name: str) -> Any:
        return Figures(tuple(getattr(run, name) for run in runs)).median

    return Scaled(
        documents=runs[0].documents,
        wall_s=of("wall_s"),
        azurite_s=of("azurite_s"),
        host_bytes=of("host_bytes"),
        worker_bytes=of("worker_bytes"),
        orchestrations=max(run.orchestrations for run in runs),
        longest_history=max(run.longest_history for run in runs),
        calls=max(run.calls for run in runs),
        problems=tuple(problem for run in runs for problem in run.problems),
    )


def fetched(url: str, body: Any = None, method: str | None = None) -> Any:
    """The JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}, method=method), timeout=120) as answer:
        return json.loads(answer.read() or b"null")


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Everything fresh, so that one size's memory is not another's."""
    from azure.storage.blob import BlobServiceClient

    from local_host.azurite import running_azurite
    from local_host.demo_children import environment_for, offline_model
    from local_host.testing import running_host

    with ExitStack() as stack:
        azurite = stack.enter_context(running_azurite(in_memory=True))
        model_url = stack.enter_context(offline_model(os.environ, "--latency", str(LATENCY_S)))
        env = {
            **environment_for(model_url, os.environ),
            "CHORUS_STORAGE": azurite.connection_string,
            "CHORUS_SOURCE_CONTAINERS": SOURCE,
            "CHORUS_SINK_CONTAINERS": SINK,
        }
        host = stack.enter_context(running_host(env=env))
        storage = stack.enter_context(BlobServiceClient.from_connection_string(azurite.connection_string))
        yield Stack(host, model_url, storage, azurite.pid or 0)


def main() -> int:
    """Print a row for each size; 1 if something is lost, or if time, memory or histories grow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="numbers of documents (100 1000 10000)")
    parser.add_argument("--format", choices=["jsonl", "text"], default="jsonl", help="(%(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each size, by turns (%(default)s)")
    parser.add_argument("--max-time-ratio", type=float, help="of the last size's time to that of the one before")
    parser.add_argument("--max-memory-ratio", type=float, help="of the worker's peaks, likewise")
    asked = parser.parse_args()
    runs: dict[int, list[Scaled]] = {size: [] for size in asked.sizes}
    for size in [size for _ in range(asked.repeat) for size in asked.sizes]:
        with running_stack() as stack:
            runs[size].append(stack.measured(size, asked.format))
        latest = runs[size][-1]
        print(f"{size:,}: {latest.wall_s:.1f} s, worker {latest.worker_bytes / MIB:.0f} MiB", file=sys.stderr)
    rows = [median(runs[size]) for size in asked.sizes]
    headings = [
        "documents",
        "time",
        "per s",
        "Azurite",
        "host",
        "worker",
        "orchestrations",
        "longest history",
        "calls",
        "problems",
    ]
    print(table(headings, [row.row() for row in rows]))
    problems = [f"{row.documents:,} documents: {problem}" for row in rows for problem in row.problems]
    print("\n".join(problems) or "nothing lost: ids, hashes and counts are those of the source")
    code = 1 if problems else 0
    if len(rows) > 1:
        before, last = rows[-2:]
        time_ratio, memory_ratio = last.wall_s / before.wall_s, last.worker_bytes / before.worker_bytes
        print(f"{last.documents:,} ÷ {before.documents:,} documents: time {time_ratio:.2f}, memory {memory_ratio:.2f}")
        code |= verdict("The ratio of times", time_ratio, asked.max_time_ratio)
        code |= verdict("The ratio of the worker's memory", memory_ratio, asked.max_memory_ratio)
    bound = stated_bound()
    print(f"histories: at most {bound:,} events are stated")
    return code | verdict("The longest history", max(row.longest_history for row in rows), bound)


def stated_bound() -> int:
    """The most events that a shard's history can have when no call is made twice."""
    from orchestrators.shard import most_events
    from shared.contracts.work import PAGE_UNITS

    return most_events(calls=PAGE_UNITS, messages=MAX_CONCURRENCY)


if __name__ == "__main__":
    sys.exit(main())
