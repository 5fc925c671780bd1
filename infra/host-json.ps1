# put: where CHORUS_DURABLE_BACKEND is "scheduler", the package gets infra/host.scheduler.json as its host.json.
# back: the repository's own host.json again, also after a packaging that was broken off.
param([string]$Action)
$ErrorActionPreference = 'Stop'
$kept = '.azure/host.json.kept'
if (Test-Path $kept) { Move-Item -Force $kept host.json }
if ($Action -eq 'put' -and $env:CHORUS_DURABLE_BACKEND -eq 'scheduler') {
    New-Item -ItemType Directory -Force .azure | Out-Null
    Copy-Item host.json $kept
    Copy-Item -Force infra/host.scheduler.json host.json
}
