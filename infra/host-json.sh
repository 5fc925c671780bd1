#!/bin/sh
# put: where CHORUS_DURABLE_BACKEND is "scheduler", the package gets infra/host.scheduler.json as its host.json.
# back: the repository's own host.json again, also after a packaging that was broken off.
set -eu
kept=.azure/host.json.kept
if [ -f "$kept" ]; then mv "$kept" host.json; fi
if [ "${1:-}" = put ] && [ "${CHORUS_DURABLE_BACKEND:-azureStorage}" = scheduler ]; then
  mkdir -p .azure
  cp host.json "$kept"
  cp infra/host.scheduler.json host.json
fi
