"""Ready juries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.contracts.jury import Juror, PerspectiveSet

PERSPECTIVES: Mapping[PerspectiveSet, Sequence[Juror]] = {}
"""The voters of each ready jury, in the order in which they are asked."""
