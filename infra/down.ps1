# `azd down` deletes every resource group that the deployment reaches into (azure-dev 2916), and a role on a model account
# that existed already reaches into that account's group. So it is stopped, and says what deletes the rest.
$ErrorActionPreference = 'Stop'
if ($env:CHORUS_EXISTING_MODEL_ACCOUNT_ID) {
    $group = if ($env:AZURE_RESOURCE_GROUP) { $env:AZURE_RESOURCE_GROUP } else { "rg-$env:AZURE_ENV_NAME" }
    [Console]::Error.WriteLine("azd down would also delete the resource group of $env:CHORUS_EXISTING_MODEL_ACCOUNT_ID, with all that is in it.")
    [Console]::Error.WriteLine("Delete what was made here: az group delete --name $group")
    exit 1
}
