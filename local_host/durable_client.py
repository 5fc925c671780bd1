"""The value of a `durableClient` binding: where the engine and the management API are."""

from __future__ import annotations

import json
from functools import lru_cache
from urllib.parse import quote

_UNLIMITED = 2**31 - 1


@lru_cache(maxsize=16)
def durable_client_config(engine_address: str, base_url: str, task_hub: str) -> str:
    """Return the JSON text from which the SDK makes a durable client.

    `engine_address` is `host:port` of the engine's gRPC server, `base_url` the origin of the HTTP server.
    """
    api = f"{base_url.rstrip('/')}/runtime/webhooks/durabletask"
    query = f"taskHub={quote(task_hub)}&connection=Storage"
    create = f"{api}/orchestrators/{{functionName}}[/{{instanceId}}]"
    instance = f"{api}/instances/INSTANCEID"
    return json.dumps(
        {
            "taskHubName": task_hub,
            "connectionName": "Storage",
            "creationUrls": {
                "createNewInstancePostUri": f"{create}?{query}",
                "createAndWaitOnNewInstancePostUri": (
                    f"{create}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{query}"
                ),
            },
            "managementUrls": {
                "id": "INSTANCEID",
                "statusQueryGetUri": f"{instance}?{query}",
                "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
                "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
                "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
                "purgeHistoryDeleteUri": f"{instance}?{query}",
                "restartPostUri": f"{instance}/restart?{query}",
                "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
                "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
            },
            "baseUrl": api,
            "httpBaseUrl": api,
            "requiredQueryStringParameters": query,
            "rpcBaseUrl": engine_address,
            "maxGrpcMessageSizeInBytes": _UNLIMITED,
        }
    )
