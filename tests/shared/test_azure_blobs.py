"""What `Blobs` promises, of storage in memory and of Azure Storage as Azurite emulates it; then outages and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local_host.azurite import running_azurite
from shared.azure_blobs import PIECE_BYTES, AzureBlobs
from shared.blobs import BlobInfo, Blobs
from shared.errors import CallFailed, DocumentChanged, DocumentGone, StorageForbidden, StorageUnavailable
from shared.settings import StorageSettings
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.weak_link import WeakLink

OUTAGE_S = 5.0


@pytest_asyncio.fixture(params=["memory", "azurite"])
async def blobs(request: pytest.FixtureRequest) -> AsyncIterator[Blobs]:
    if request.param == "memory":
        yield MemoryBlobs()
        return
    azurite: running_azurite = request.getfixturevalue("azurite")
    opened = AzureBlobs(StorageSettings(connection_string=azurite.connection_string))
    yield opened
    await opened.close()


async def all_listed(blobs: Blobs, container: str, prefix: str = "", most: int = 5_000) -> list[BlobInfo]:
    found: list[BlobInfo] = []
    after: str | None = None
    while True:
        page = await blobs.listed(container, prefix, after=after, most=most)
        assert len(page.blobs) <= most
        found += page.blobs
        after = page.after
        if after is None:
            return found


async def pieces_of(blobs: Blobs, container: str, name: str, etag: str | None = None) -> list[bytes]:
    return [piece async for piece in blobs.stream(container, name, etag=etag)]


@pytest.mark.parametrize("data", [b"", b"\x00\xff plain bytes \r\n", "ä€🙂".encode()])
async def test_a_blob_is_read_as_it_was_written(blobs: Blobs, container: str, data: bytes) -> None:
    assert await blobs.write(container, "folder/a.txt", data)

    assert await blobs.read(container, "folder/a.txt") == data
    assert b"".join(await pieces_of(blobs, container, "folder/a.txt")) == data


@pytest.mark.parametrize("name", ["a b+c&d=e?f#g%20.txt", "größe/ä€🙂.json", "a//b", "a'\"(1).txt"])
async def test_a_name_may_have_any_characters(blobs: Blobs, container: str, name: str) -> None:
    await blobs.write(container, name, b"1")

    assert [blob.name for blob in await all_listed(blobs, container)] == [name]
    assert await blobs.read(container, name) == b"1"


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 3, b"012"),
        (4, None, b"456789"),
        (4, 2, b"45"),
        (8, 5, b"89"),
        (10, 5, b""),
        (10, None, b""),
        (50, 5, b""),
        (3, 0, b""),
    ],
)
async def test_a_range_ends_with_the_blob(
    blobs: Blobs, container: str, offset: int, length: int | None, expected: bytes
) -> None:
    await blobs.write(container, "digits", b"0123456789")

    assert await blobs.read(container, "digits", offset=offset, length=length) == expected


async def test_a_range_of_an_empty_blob_is_empty(blobs: Blobs, container: str) -> None:
    await blobs.write(container, "empty", b"")

    assert await blobs.read(container, "empty", offset=0, length=10) == b""


async def test_a_listing_has_names_in_order_sizes_and_etags_that_reads_take(blobs: Blobs, container: str) -> None:
    for name in ("b/2", "b/10", "a", "b/1", "c"):
        await blobs.write(container, name, name.encode())

    found = await all_listed(blobs, container, "b/")

    assert [(blob.name, blob.size) for blob in found] == [("b/1", 3), ("b/10", 4), ("b/2", 3)]
    assert await blobs.read(container, "b/10", etag=found[1].etag) == b"b/10"
    assert await blobs.read(container, "b/10", offset=1, length=2, etag=found[1].etag) == b"/1"


async def test_a_listing_goes_on_where_its_page_ended(blobs: Blobs, container: str) -> None:
    names = [f"d/{number:02}" for number in range(7)]
    for name in names:
        await blobs.write(container, name, b"1")

    first = await blobs.listed(container, "d/", most=3)

    assert ([blob.name for blob in first.blobs], first.after is None) == (names[:3], False)
    assert [blob.name for blob in await all_listed(blobs, container, "d/", most=3)] == names


async def test_a_listing_of_nothing_is_empty(blobs: Blobs, container: str) -> None:
    await blobs.write(container, "a", b"1")

    assert await blobs.listed(container, "b") == ([], None)


async def test_a_blob_that_was_written_again_has_changed(blobs: Blobs, container: str) -> None:
    await blobs.write(container, "a", b"old")
    [listed] = await all_listed(blobs, container)
    await blobs.write(container, "a", b"new")

    with pytest.raises(DocumentChanged, match="'a'"):
        await blobs.read(container, "a", etag=listed.etag)
    with pytest.raises(DocumentChanged, match="'a'"):
        await pieces_of(blobs, container, "a", listed.etag)
    assert await blobs.read(container, "a") == b"new"


async def test_what_is_not_there_is_gone_or_forbidden(blobs: Blobs, container: str) -> None:
    with pytest.raises(StorageForbidden, match=container):
        await blobs.read(container, "a")
    with pytest.raises(StorageForbidden, match=container):
        await blobs.listed(container, "")
    await blobs.write(container, "b", b"1")

    with pytest.raises(DocumentGone, match="'a'"):
        await blobs.read(container, "a")
    with pytest.raises(DocumentGone, match="'a'"):
        await blobs.read(container, "a", offset=1, length=1)
    with pytest.raises(DocumentGone, match="'a'"):
        await pieces_of(blobs, container, "a")


async def test_only_a_new_blob_is_written_when_asked_so(blobs: Blobs, container: str) -> None:
    assert await blobs.write(container, "a", b"first", only_new=True)
    assert not await blobs.write(container, "a", b"second", only_new=True)
    assert await blobs.read(container, "a") == b"first"

    assert await blobs.write(container, "a", b"third")
    assert await blobs.read(container, "a") == b"third"


async def test_of_many_at_once_one_writes_the_new_blob(blobs: Blobs, container: str) -> None:
    data = [f"answer {number}".encode() for number in range(20)]

    written = await asyncio.gather(*(blobs.write(container, "a", one, only_new=True) for one in data))

    assert sum(written) == 1
    assert await blobs.read(container, "a") == data[written.index(True)]


async def test_blocks_make_a_blob_in_the_order_of_the_commit(blobs: Blobs, container: str) -> None:
    for block, data in ((2, b"two,"), (10, b"ten,"), (1, b"old,"), (1, b"one,")):
        await blobs.stage(container, "list", block, data)
    with pytest.raises(DocumentGone):
        await blobs.read(container, "list")

    await blobs.commit(container, "list", [1, 2, 10])

    assert await blobs.read(container, "list") == b"one,two,ten,"


async def test_a_commit_may_be_repeated(blobs: Blobs, container: str) -> None:
    await blobs.stage(container, "list", 1, b"one,")
    await blobs.stage(container, "list", 2, b"two,")
    await blobs.commit(container, "list", [1, 2])
    await blobs.commit(container, "list", [1, 2])
    await blobs.stage(container, "list", 2, b"TWO,")
    await blobs.commit(container, "list", [2, 1])

    assert await blobs.read(container, "list") == b"TWO,one,"


async def test_a_commit_of_no_blocks_makes_an_empty_blob(blobs: Blobs, container: str) -> None:
    await blobs.commit(container, "list", [])

    assert await blobs.read(container, "list") == b""


async def test_a_commit_of_a_block_that_was_not_staged_fails(blobs: Blobs, container: str) -> None:
    await blobs.stage(container, "list", 1, b"one,")

    with pytest.raises(CallFailed, match="'list'"):
        await blobs.commit(container, "list", [1, 2])


async def test_a_long_blob_comes_in_pieces(blobs: Blobs, container: str) -> None:
    data = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"end"
    await blobs.write(container, "long", data)

    pieces = await pieces_of(blobs, container, "long")

    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 3]
    assert b"".join(pieces) == data


async def test_a_blob_of_whole_pieces_has_no_empty_one(blobs: Blobs, container: str) -> None:
    await blobs.write(container, "long", bytes(PIECE_BYTES))

    assert [len(piece) for piece in await pieces_of(blobs, container, "long")] == [PIECE_BYTES]


# Azure Storage alone


@pytest_asyncio.fixture
async def link(azurite: running_azurite) -> AsyncIterator[WeakLink]:
    async with WeakLink(azurite.port) as weak:
        yield weak


@pytest_asyncio.fixture
async def linked(azurite: running_azurite, link: WeakLink) -> AsyncIterator[AzureBlobs]:
    """Blobs over a connection that tests cut."""
    opened = blobs_at(azurite.connection_string.replace(f":{azurite.port}/", f":{link.port}/"))
    yield opened
    await opened.close()


def blobs_at(connection_string: str, patience_s: float = 30.0) -> AzureBlobs:
    return AzureBlobs(StorageSettings(connection_string=connection_string), patience_s=patience_s)


async def test_a_blob_that_changes_between_two_pieces_has_changed(azurite: running_azurite, container: str) -> None:
    blobs = blobs_at(azurite.connection_string)
    await blobs.write(container, "long", bytes(PIECE_BYTES + 1))
    stream = blobs.stream(container, "long")
    await anext(stream)
    await blobs.write(container, "long", bytes(PIECE_BYTES + 1))

    with pytest.raises(DocumentChanged):
        await anext(stream)
    await blobs.close()


async def test_an_outage_of_seconds_in_the_middle_of_anything_is_survived(
    linked: AzureBlobs, link: WeakLink, container: str
) -> None:
    data = bytes(range(256)) * (3 * PIECE_BYTES // 256)
    await linked.write(container, "long", data)
    await linked.write(container, "a", b"here")
    await linked.stage(container, "staged", 1, b"one")
    link.cut_after(PIECE_BYTES // 2, for_s=OUTAGE_S)

    long = asyncio.create_task(linked.read(container, "long"))
    pieces = asyncio.create_task(pieces_of(linked, container, "long"))
    await link.cut
    others = await asyncio.gather(
        linked.read(container, "a"),
        linked.write(container, "b", b"new", only_new=True),
        linked.write(container + "-2", "b", b"new"),
        linked.stage(container, "blocks", 1, data),
        linked.commit(container, "staged", [1]),
        linked.listed(container, "a"),
    )

    assert await long == data
    assert b"".join(await pieces) == data
    assert (others[0], others[1], others[2]) == (b"here", True, True)
    assert [blob.name for blob in others[5].blobs] == ["a"]
    assert link.refused > 0
    assert await linked.read(container, "staged") == b"one"


async def test_a_service_that_stops_and_starts_again_is_waited_for(container: str) -> None:
    with running_azurite() as own:
        blobs = blobs_at(own.connection_string)
        await blobs.write(container, "a", b"here")
        own.stop()
        reading = asyncio.create_task(blobs.read(container, "a"))
        writing = asyncio.create_task(blobs.write(container, "b", b"new"))
        await asyncio.to_thread(own.start)

        assert await reading == b"here"
        assert await writing
        await blobs.close()


async def test_a_service_that_stays_away_is_unavailable_and_may_be_asked_later(
    azurite: running_azurite, link: WeakLink, container: str
) -> None:
    blobs = blobs_at(azurite.connection_string.replace(f":{azurite.port}/", f":{link.port}/"), patience_s=1.0)
    link.cut_now(for_s=60)

    with pytest.raises(StorageUnavailable, match=r"did not answer for the blob 'a' .*tried again for 1 s") as caught:
        await blobs.write(container, "a", b"1")

    assert caught.value.retriable
    link.mend()
    assert await blobs.write(container, "a", b"1")
    await blobs.close()


async def test_a_wrong_key_is_forbidden_and_stays_out_of_the_message(azurite: running_azurite, container: str) -> None:
    wrong = "d3Jvbmcgd3JvbmcgIGtleQ=="
    settings = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={wrong};BlobEndpoint={azurite.url}"
    )
    blobs = blobs_at(settings)

    with pytest.raises(StorageForbidden, match="403") as caught:
        await blobs.read(container, "a")

    assert wrong not in str(caught.value)
    assert wrong not in repr(StorageSettings(connection_string=settings))
    await blobs.close()
