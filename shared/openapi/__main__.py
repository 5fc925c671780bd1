"""`python -m shared.openapi`: the definition of the custom connector, as `connector/` has it."""

from __future__ import annotations

import json
import sys

from shared.openapi.swagger import swagger_document

sys.stdout.write(json.dumps(swagger_document(), indent=2, ensure_ascii=False) + "\n")
