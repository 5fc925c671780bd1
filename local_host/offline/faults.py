"""Faults: how the offline model is told to be slow, to be full, to fail, to hang and to lie.

Two sources, both reproducible: rates drawn by call number from a seed, and markers in the prompt that direct one call.
Limits are neither: they refuse calls because of the calls before them (see `local_host.offline.admission`).
"""

from __future__ import annotations

import argparse
import math
import random
import re
from collections import Counter
from dataclasses import dataclass, fields
from typing import Literal

from local_host.offline.errors import ApiError

type FaultKind = Literal[
    "hang", "throttle", "error", "cut", "malformed", "broken-body", "refusal",
    "bad-request", "content-filter", "unauthorized",
]  # fmt: skip

RATE_KINDS: tuple[FaultKind, ...] = (
    "hang", "throttle", "error", "cut", "malformed", "broken-body", "refusal",
)  # fmt: skip
DIRECTED_KINDS: tuple[FaultKind, ...] = (*RATE_KINDS, "bad-request", "content-filter", "unauthorized")
SLOW = "slow"
MARKER = re.compile(r"\[\[fault:(?P<kind>[a-z-]+)(?::(?P<seconds>\d+(?:\.\d+)?))?(?:\*(?P<times>\d+))?\]\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What one call suffers: a delay from its arrival, and perhaps a failure."""

    delay_s: float = 0.0
    kind: FaultKind | None = None
    retry_after_s: float = 1.0
    straggles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of a server. Rates are shares of all calls from 0 to 1 and, but for stragglers, exclude each other.

    At most `capacity` calls are served at a time, and `requests_per_s` a second, of which a second's worth may come
    at once; None is no limit. A call over a limit suffers nothing else.
    """

    latency_s: float = 0.0
    latency_sigma: float = 0.0
    straggler_rate: float = 0.0
    straggler_factor: float = 10.0
    hang_rate: float = 0.0
    throttle_rate: float = 0.0
    retry_after_s: float = 1.0
    error_rate: float = 0.0
    cut_rate: float = 0.0
    malformed_rate: float = 0.0
    broken_body_rate: float = 0.0
    refusal_rate: float = 0.0
    capacity: int | None = None
    requests_per_s: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_limits()
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if not math.isfinite(value) or (field.name != "seed" and value < 0):
                raise ValueError(f"{field.name} is {value!r}: give a number of at least 0")
            if field.name.endswith("_rate") and value > 1:
                raise ValueError(f"{field.name} is {value!r}: a rate is a share from 0 to 1")
        total = sum(self.rate(kind) for kind in RATE_KINDS)
        if total > 1 + 1e-9:
            raise ValueError(
                f"The rates of hang, throttle, error, cut, malformed, broken-body and refusal add up to {total:g}: "
                "one call suffers one of them, so keep the sum at 1 or less"
            )

    def _check_limits(self) -> None:
        if self.capacity is not None and (not isinstance(self.capacity, int) or self.capacity < 1):
            raise ValueError(f"capacity is {self.capacity!r}: give a whole number of at least 1, or none for no limit")
        per_s = self.requests_per_s
        if per_s is not None and not (math.isfinite(per_s) and per_s > 0):
            raise ValueError(f"requests_per_s is {per_s!r}: give a number above 0, or none for no limit")

    def rate(self, kind: FaultKind) -> float:
        """The share of calls that suffer `kind`."""
        return getattr(self, f"{kind.replace('-', '_')}_rate")

    def draw(self, number: int) -> Fault:
        """The fault of the call with this number: always the same for the same seed."""
        generator = random.Random(f"{self.seed}:{number}")  # noqa: S311 - a reproducible draw, no secret
        spread, straggle, lot = generator.gauss(0, 1), generator.random(), generator.random()
        straggles = straggle < self.straggler_rate
        delay_s = self.latency_s * math.exp(self.latency_sigma * spread)
        if straggles:
            delay_s *= self.straggler_factor
        for kind in RATE_KINDS:
            lot -= self.rate(kind)
            if lot < 0:
                return Fault(delay_s, kind, self.retry_after_s, straggles)
        return Fault(delay_s, None, self.retry_after_s, straggles)


class DirectedFaults:
    """Faults that a prompt asks for by markers such as `[[fault:throttle]]` or `[[fault:throttle*2]]`.

    A marker with `*N` is suffered by the first N calls that carry the same prompt; several such markers follow each
    other. One without a count is suffered always. `[[fault:slow:SECONDS]]` delays, and may stand beside another.
    """

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()

    def reset(self) -> None:
        """Forgets how often each prompt came."""
        self._calls.clear()

    def apply(self, prompt: str, drawn: Fault) -> Fault:
        """`drawn`, with what the prompt's markers ask of this call in its place."""
        markers = list(dict.fromkeys(match.group(0) for match in MARKER.finditer(prompt)))
        if not markers:
            return drawn
        turn = self._calls[prompt]
        self._calls[prompt] += 1
        delay_s, kind, retry_after_s, start = drawn.delay_s, drawn.kind, drawn.retry_after_s, 0
        decided = False
        for marker in markers:
            name, seconds, times = _read_marker(marker)
            if name == SLOW:
                delay_s += seconds or 0.0 if turn < times else 0.0
                continue
            if not decided and start <= turn < start + times:
                kind, decided = name, True
                retry_after_s = retry_after_s if seconds is None else seconds
            start += times
        return Fault(delay_s, kind, retry_after_s, drawn.straggles)


def without_markers(text: str) -> str:
    """The text as the model shall read it: a marker is an order to the server, no material."""
    return MARKER.sub("", text)


def _read_marker(marker: str) -> tuple[FaultKind | Literal["slow"], float | None, float]:
    match = MARKER.fullmatch(marker)
    assert match is not None  # noqa: S101 - `marker` was found by the same expression
    name, seconds, times = match["kind"], match["seconds"], match["times"]
    for known in (SLOW, *DIRECTED_KINDS):
        if name == known:
            return known, float(seconds) if seconds else None, int(times) if times else math.inf
    raise ApiError(
        400, f"Unknown fault {name!r} in marker {marker!r}: use one of {', '.join((SLOW, *DIRECTED_KINDS))}."
    )


def add_fault_arguments(parser: argparse.ArgumentParser) -> None:
    """The fault options of the command line."""
    group = parser.add_argument_group("faults", "shares of all calls from 0 to 1, drawn by --seed and call number")
    group.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="every answer takes this long")
    group.add_argument(
        "--latency-sigma", type=float, default=0.0, metavar="SIGMA",
        help="spread the latency log-normally around its median (1.0 gives a long tail)",
    )  # fmt: skip
    group.add_argument("--straggler-rate", type=float, default=0.0, metavar="RATE", help="calls that are slower")
    group.add_argument("--straggler-factor", type=float, default=10.0, metavar="X", help="and how many times")
    group.add_argument("--hang-rate", type=float, default=0.0, metavar="RATE", help="calls that never get an answer")
    group.add_argument("--throttle-rate", type=float, default=0.0, metavar="RATE", help="calls answered with 429")
    group.add_argument("--retry-after", type=float, default=1.0, metavar="SECONDS", help="the 429's retry-after")
    group.add_argument("--error-rate", type=float, default=0.0, metavar="RATE", help="calls answered with 500")
    group.add_argument("--cut-rate", type=float, default=0.0, metavar="RATE", help="connections cut in mid-answer")
    group.add_argument(
        "--malformed-rate", type=float, default=0.0, metavar="RATE", help="invalid JSON where JSON was asked for"
    )
    group.add_argument(
        "--broken-body-rate", type=float, default=0.0, metavar="RATE", help="bodies that are not whole JSON"
    )
    group.add_argument("--refusal-rate", type=float, default=0.0, metavar="RATE", help="polite refusals")
    group.add_argument(
        "--capacity", type=int, metavar="N", help="serve N calls at a time and answer all others with 429 at once"
    )
    group.add_argument(
        "--requests-per-second", type=float, metavar="N",
        help="serve N calls a second (a second's worth at once) and answer all others with 429",
    )  # fmt: skip
    group.add_argument("--seed", type=int, default=0, help="another seed draws other calls")
    group.add_argument(
        "--directed-faults", action="store_true",
        help="obey markers in prompts: [[fault:KIND]], [[fault:KIND*TIMES]], [[fault:slow:SECONDS]], "
        "[[fault:throttle:SECONDS]]; "
        f"KIND is one of {', '.join(DIRECTED_KINDS)}",
    )  # fmt: skip


def faults_from_arguments(args: argparse.Namespace) -> Faults:
    """The faults that the command line names; ValueError says which number is wrong."""
    return Faults(
        latency_s=args.latency,
        latency_sigma=args.latency_sigma,
        straggler_rate=args.straggler_rate,
        straggler_factor=args.straggler_factor,
        hang_rate=args.hang_rate,
        throttle_rate=args.throttle_rate,
        retry_after_s=args.retry_after,
        error_rate=args.error_rate,
        cut_rate=args.cut_rate,
        malformed_rate=args.malformed_rate,
        broken_body_rate=args.broken_body_rate,
        refusal_rate=args.refusal_rate,
        capacity=args.capacity,
        requests_per_s=args.requests_per_second,
        seed=args.seed,
    )
