"""The storage of the demo's large runs: Azurite, with the samples in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_host.azurite import running_azurite
from local_host.offline_child import past_proxies

ROOT = Path(__file__).resolve().parent.parent
SOURCE, SINK = "documents", "results"


@contextmanager
def sample_storage(env: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Azurite with the samples; yields what to add to the app's environment `env`, so that it uses it."""
    from azure.storage.blob import BlobServiceClient

    with running_azurite() as azurite:
        # Azurite is on this machine: no proxy of the environment leads to it.
        with BlobServiceClient.from_connection_string(azurite.connection_string, use_env_settings=False) as client:
            container = client.create_container(SOURCE)
            for name, data in sample_blobs():
                container.upload_blob(name, data)
        yield {
            "CHORUS_STORAGE": azurite.connection_string,
            "CHORUS_SOURCE_CONTAINERS": SOURCE,
            "CHORUS_SINK_CONTAINERS": SINK,
            **past_proxies(env),
        }


def sample_blobs() -> Iterator[tuple[str, bytes]]:
    """A log of 20,000 lines, forty invoices, and one long report: the decisions about this app."""
    log = ROOT / "samples" / "shop-postgres.log.gz"
    yield f"logs/{log.name}", log.read_bytes()
    for invoice in sorted((ROOT / "samples" / "invoices").glob("*.txt")):
        yield f"invoices/{invoice.name}", invoice.read_bytes()
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    yield "report/decisions.md", b"\n\n".join(decision.read_bytes() for decision in decisions)
