"""Hypothesis without time limits a example: the machine that runs the tests may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("chorus", deadline=None, print_blob=True)
settings.load_profile("chorus")
