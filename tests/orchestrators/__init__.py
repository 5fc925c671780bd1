"""Tests of the orchestrators: driven by hand first, then by the SDK on the in-memory engine."""
