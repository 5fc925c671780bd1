#!/bin/sh
# `azd down` deletes every resource group that the deployment reaches into (azure-dev 2916), and a role on a model account
# that existed already reaches into that account's group. So it is stopped, and says what deletes the rest.
set -eu
if [ -n "${CHORUS_EXISTING_MODEL_ACCOUNT_ID:-}" ]; then
  echo "azd down would also delete the resource group of $CHORUS_EXISTING_MODEL_ACCOUNT_ID, with all that is in it." >&2
  echo "Delete what was made here: az group delete --name ${AZURE_RESOURCE_GROUP:-rg-${AZURE_ENV_NAME:-ENVIRONMENT}}" >&2
  exit 1
fi
