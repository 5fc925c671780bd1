"""How many calls and tokens a request in storage would take, from the sizes of its documents alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from shared.batching import batch_agent
from shared.blobs import Blobs
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Branch
from shared.contracts.estimate import CallEstimate, RunEstimate, TokenEstimate
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.reduction import RefineReduction, TreeReduction
from shared.contracts.storage import MAX_STORED_DOCUMENTS, BlobSource
from shared.estimation import calls_wanted, most_calls, within_budget
from shared.rehearsal import expected_levels
from shared.sources.globs import matcher
from shared.token_estimate import estimated_input_tokens, estimated_output_tokens
from shared.tokens import BYTES_PER_TOKEN, text_bytes

MAX_LISTED = 50_000
"""Blobs that an estimate looks at, whether they fit or not. Of more, it is a lower bound."""
SAMPLE = 500
"""Works whose reduction is played through; that of more is scaled up from it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the documents, in bytes; `is_cut` when there may be more of them."""

    documents: list[int]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one agent, and their input tokens together."""

    count: int = 0
    input_tokens: int = 0


def reason_for_none(request: MapReduceRequest) -> str | None:
    """Why a request in storage cannot be estimated without reading its documents; None if it can."""
    if request.source is not None and request.source.format not in {"text", "markdown"}:
        return f"how many documents blobs of the format {request.source.format!r} have is known once they are read"
    if request.split.by == "lines":
        return "how many parts a split by lines makes is known once the documents are read"
    return None


async def estimate_stored(blobs: Blobs, request: MapReduceRequest) -> RunEstimate:
    """What a run of `request` would take. Of its source nothing is read but the listing.

    Blobs are taken for plain text, parts of a document are as large as they may be, and batches are full.
    """
    sizes = await _listed(blobs, request.source) if request.source else Sizes(_inline(request))
    works = sum(_parts_of(size, request) for size in sizes.documents)
    mapped, reduced = _map_of(request, sizes, works), _reduction_of(request, works)
    reducer = _reducer_of(request)
    agent = request.map.with_defaults(request.defaults)
    outputs = works * estimated_output_tokens(agent)
    outputs += reduced.count * estimated_output_tokens(reducer) if reducer else 0
    inputs = mapped.input_tokens + reduced.input_tokens
    policy = request.policy.effective()
    least = calls_wanted(mapped.count, policy, request.batch_size) + min(reduced.count, 1)
    agents, reducers = _agents_of_map(agent, works, request.batch_size), [reducer] * reduced.count if reducer else []
    return RunEstimate(
        pattern="map_reduce",
        branches=works,
        model_calls=CallEstimate(
            at_least=within_budget(least, inputs + outputs, policy),
            expected=mapped.count + reduced.count,
            at_most=most_calls(agents, reducers, policy) if agents else 0,
        ),
        tokens=TokenEstimate(input_tokens=inputs, output_tokens=outputs, total_tokens=inputs + outputs),
        within_budget=None if policy.max_total_tokens is None else inputs + outputs <= policy.max_total_tokens,
        policy=policy,
        is_lower_bound=sizes.is_cut,
    )


async def _listed(blobs: Blobs, source: BlobSource) -> Sizes:
    fits = matcher(source.glob)
    limit = source.limit or MAX_STORED_DOCUMENTS
    sizes: list[int] = []
    seen, after = 0, None
    while True:
        page = await blobs.listed(source.container, source.prefix, after=after)
        found = [blob.size for blob in page.blobs if blob.size and fits(blob.name.removeprefix(source.prefix))]
        sizes += found[: limit - len(sizes)]
        seen, after = seen + len(page.blobs), page.after
        if after is None or len(sizes) == limit:
            return Sizes(sizes)
        if seen >= MAX_LISTED:
            return Sizes(sizes, is_cut=True)


def _inline(request: MapReduceRequest) -> list[int]:
    return [text_bytes(document.content) for document in request.documents]


def _parts_of(size: int, request: MapReduceRequest) -> int:
    """How many parts a document of so many bytes has."""
    split = request.split
    if split.size is None:
        return 1
    part, overlap = _part_bytes(request)
    return 1 if size <= part else ceil((size - overlap) / (part - overlap))


def _part_bytes(request: MapReduceRequest) -> tuple[int, int]:
    """The bytes of a part, and those that it repeats; a character is taken for one."""
    unit = BYTES_PER_TOKEN if request.split.by == "tokens" else 1
    return (request.split.size or 0) * unit, request.split.overlap * unit


def _map_of(request: MapReduceRequest, sizes: Sizes, works: int) -> Calls:
    calls = ceil(works / request.batch_size)
    _, overlap = _part_bytes(request)
    text = sum(sizes.documents) + (works - len(sizes.documents)) * overlap
    instructions = estimated_input_tokens(request.map.with_defaults(request.defaults), "")
    return Calls(calls, calls * instructions + ceil(text / BYTES_PER_TOKEN))


def _agents_of_map(agent: AgentSpec, works: int, batch_size: int) -> list[AgentSpec]:
    """The agent of each call that may be needed: for each batch, and after it for each work alone."""
    full, rest = divmod(works, batch_size)
    batches = full + (rest > 1) if batch_size > 1 else 0
    return [batch_agent(agent, batch_size)] * batches + [agent] * works


def _reducer_of(request: MapReduceRequest) -> AgentSpec | None:
    way = request.reduction
    return way.agent.with_defaults(request.defaults) if isinstance(way, TreeReduction | RefineReduction) else None


def _reduction_of(request: MapReduceRequest, works: int) -> Calls:
    """The calls that reduce answers of the usual length: each level has a share of the one below, as in the sample."""
    agent = request.map.with_defaults(request.defaults)
    sample = min(works, SAMPLE)
    levels = expected_levels(request, [Branch(name=f"d{n}", agent=agent, prompt="") for n in range(sample)])
    called = [call for level in levels for call in level]
    tokens = sum(estimated_input_tokens(call.agent, call.prompt) for call in called)
    if works == sample or not called:
        return Calls(len(called), tokens)
    if isinstance(request.reduction, RefineReduction):
        count = ceil(len(called) * works / sample)
    else:
        count = _calls_of_tree(works, share=sample / len(levels[0]))
    return Calls(count, ceil(tokens / len(called) * count))


def _calls_of_tree(works: int, share: float) -> int:
    """The calls of all levels when each reads so many answers of the level below."""
    calls, level = 0, works
    while level > 1:
        level = ceil(level / max(share, 2))
        calls += level
    return calls
