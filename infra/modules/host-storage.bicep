// The storage of the Functions host: its leases and keys, the package that it runs, and the task hub of Durable
// Functions. An account of its own, so that whoever may read documents reads neither keys nor histories.

import { roles } from 'roles.bicep'

@description('Name of the storage account.')
param name string

@description('Azure region of the account.')
param location string

@description('Tags of the account.')
param tags object

@description('How the account is replicated.')
param sku string

@description('Whether it is reached through private endpoints only.')
param privateNetwork bool

@description('Name of the container that has the package of the app.')
param packageContainer string

@description('Object id of the app\'s identity, which works in the account.')
param appPrincipalId string

// Each is needed by the host and the Durable Task extension on Azure Storage, and none has a narrower scope: the host
// makes its containers, queues and tables itself.
var appRoles = [
  {
    role: roles.storageBlobDataOwner
    purpose: 'Chorus keeps leases and keys of its host here, its package, and large messages of the task hub.'
  }
  {
    role: roles.storageQueueDataContributor
    purpose: 'Chorus sends and takes the messages of the task hub.'
  }
  {
    role: roles.storageTableDataContributor
    purpose: 'Chorus keeps histories and states of runs in the tables of the task hub.'
  }
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource package 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

resource appWorksHere 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for given in appRoles: {
  name: guid(account.id, appPrincipalId, given.role)
  scope: account
  properties: {
    description: given.purpose
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', given.role)
  }
}]

@description('Name of the account, known once the app may work in it.')
output accountName string = account.name

@description('URL of the container that has the package of the app.')
output packageUrl string = '${account.properties.primaryEndpoints.blob}${package.name}'

@description('Resource id of the account, for its private endpoints.')
output accountId string = account.id
