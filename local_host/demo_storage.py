"""The storage of the demo's large runs: Azurite, with the samples in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_host.azurite import running_azurite

ROOT = Path(__file__).resolve().parent.parent
SOURCE, SINK = "documents", "results"


@contextmanager
def sample_storage() -> Iterator[Mapping[str, str]]:
    """Azurite with the samples; yields the settings that let the app use it."""
    from azure.storage.blob import BlobServiceClient

    with running_azurite(in_memory=True) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
            container = client.create_container(SOURCE)
            for name, data in sample_blobs():
                container.upload_blob(name, data)
        yield {
            "CHORUS_STORAGE": azurite.connection_string,
            "CHORUS_SOURCE_CONTAINERS": SOURCE,
            "CHORUS_SINK_CONTAINERS": SINK,
        }


def sample_blobs() -> Iterator[tuple[str, bytes]]:
    """A log of 20,000 lines, forty invoices, and one long report: the decisions about this app."""
    log = ROOT / "samples" / "shop-postgres.log.gz"
    yield f"logs/{log.name}", log.read_bytes()
    for invoice in sorted((ROOT / "samples" / "invoices").glob("*.txt")):
        yield f"invoices/{invoice.name}", invoice.read_bytes()
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    yield "report/decisions.md", b"\n\n".join(decision.read_bytes() for decision in decisions)
