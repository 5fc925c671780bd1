"""Elections of the literature."""

from __future__ import annotations

from tests.shared.voting.given import rankings

TENNESSEE = rankings("42 MNCK", "26 NCKM", "15 CKNM", "17 KCNM")
"""Where a capital should be: Memphis, Nashville, Chattanooga, Knoxville.
https://en.wikipedia.org/wiki/Condorcet_method"""

SCHULZE = rankings("5 ACBED", "5 ADECB", "8 BEDAC", "3 CABED", "7 CAEBD", "2 CBADE", "7 DCEBA", "8 EBADC")
"""Schulze's first example, of 45 voters. https://en.wikipedia.org/wiki/Schulze_method"""

CYCLE = rankings("1 ABC", "1 BCA", "1 CAB")
"""Condorcet's paradox (1785)."""
