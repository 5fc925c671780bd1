"""The app's version: of its API, by the rules of docs/decisions/0025-package.md. CHANGELOG.md says what it brought."""

from __future__ import annotations

VERSION = "0.1.0"
