"""How the folder of a redrive begins: with the request of the run that it goes on from, and where that run is.

Pages and results are taken over one by one, as the redrive opens them.
"""

from __future__ import annotations

import json
from typing import Any

from shared.blobs import Blobs
from shared.contracts.take_over import TakenOver, TakeOver
from shared.errors import DocumentGone, StorageForbidden
from shared.stored_names import origin_blob, request_blob


async def take_over(blobs: Blobs, given: TakeOver) -> TakenOver:
    """Write request.json and redrive_of.json to the redrive's folder; twice is the same as once."""
    folder, earlier = given.folder, given.earlier
    try:
        request: dict[str, Any] = json.loads(await blobs.read(earlier.container, request_blob(earlier)))
    except (DocumentGone, StorageForbidden) as exc:
        told = f"the folder {earlier.name!r} of run {earlier.run_id!r} in {earlier.container!r} cannot be read any more"
        return TakenOver(problem=f"{told} ({exc.message}); start a new run instead")
    request = {**request, "policy": given.policy.model_dump(mode="json")}
    origin = earlier.model_dump_json().encode()
    await blobs.write(folder.container, request_blob(folder), json.dumps(request, ensure_ascii=False).encode())
    await blobs.write(folder.container, origin_blob(folder), origin)
    return TakenOver()
