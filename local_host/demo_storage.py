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
    with running_azurite(in_memory=True) as azurite:
        put_samples(azurite.connection_string)
        yield {
            "CHORUS_STORAGE": azurite.connection_string,
            "CHORUS_SOURCE_CONTAINERS": SOURCE,
            "CHORUS_SINK_CONTAINERS": SINK,
            **past_proxies(env),
        }


def put_samples(connection_string: str) -> int:
    """Write the samples to the container `documents` of an Azurite on this machine; return how many they are."""
    from azure.storage.blob import BlobServiceClient

    count = 0
    # On this machine: no proxy of the environment leads there.
    with BlobServiceClient.from_connection_string(connection_string, use_env_settings=False) as client:
        container = client.create_container(SOURCE)
        for count, (name, data) in enumerate(sample_blobs(), 1):  # noqa: B007
            container.upload_blob(name, data)
    return count


def sample_blobs() -> Iterator[tuple[str, bytes]]:
    """A log of 20,000 lines, forty invoices, and one long report: the decisions about this app."""
    log = ROOT / "samples" / "shop-postgres.log.gz"
    yield f"logs/{log.name}", log.read_bytes()
    for invoice in sorted((ROOT / "samples" / "invoices").glob("*.txt")):
        yield f"invoices/{invoice.name}", invoice.read_bytes()
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    yield "report/decisions.md", b"\n\n".join(decision.read_bytes() for decision in decisions)
