"""Deterministic generators: what happens in which order. No clock, no random, no I/O of their own."""
