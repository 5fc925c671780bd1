// A key vault for the one secret that there is: what signs callbacks. The app's settings only refer to it.

import { roles } from 'roles.bicep'

@description('Name of the vault.')
param name string

@description('Azure region of the vault.')
param location string

@description('Tags of the vault.')
param tags object

@secure()
@description('What signs callbacks, for CHORUS_CALLBACK_SECRET.')
param callbackSecret string

@description('Whether it is reached through private endpoints only.')
param privateNetwork bool

@description('Object id of the app\'s identity, which may read the secret.')
param appPrincipalId string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    // A lost secret is made anew, so the shortest time will do; with purge protection, a deployment that was taken down
    // could not be put up again under the same name before it is over.
    softDeleteRetentionInDays: 7
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'chorus-callback-secret'
  properties: {
    value: callbackSecret
    contentType: 'Standard Webhooks (whsec_ and base64)'
  }
}

resource appReadsSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(secret.id, appPrincipalId, roles.keyVaultSecretsUser)
  scope: secret
  properties: {
    description: 'Chorus reads what signs its callbacks.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

// Without a version, so that the app follows when the secret is renewed.
@description('Where the secret is, which is not what it is.')
#disable-next-line outputs-should-not-contain-secrets
output callbackSecretAddress string = '${vault.properties.vaultUri}secrets/${secret.name}'

@description('Resource id of the vault, for its private endpoint.')
output vaultId string = vault.id
