// The storage of the app's users: documents that runs read, results that they write, and the large inputs and outputs
// of runs (chorus-payloads). Roles are assigned on containers, not on the account.

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

@description('Containers from which runs may read.')
param sourceContainers string[]

@description('Containers into which runs may write.')
param sinkContainers string[]

@description('Days for which deleted blobs can be had back.')
param undeleteDays int

@description('Object id of the app\'s identity.')
param appPrincipalId string

@description('Object id of a person or group who brings documents and fetches results; empty for nobody.')
param operatorPrincipalId string

@description('Whether the operator is one user, a group or a service principal.')
param operatorPrincipalType string

// The app's own, and never named by a request: see PAYLOADS_CONTAINER in shared/settings.py.
var payloadsContainer = 'chorus-payloads'
var userContainers = union(sourceContainers, sinkContainers)
var writableContainers = union(sinkContainers, [payloadsContainer])

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
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: undeleteDays
    }
  }
}

resource ofUsers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [for container in userContainers: {
  parent: blobService
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

resource payloads 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: payloadsContainer
  properties: {
    publicAccess: 'None'
  }
}

resource source 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = [for container in sourceContainers: {
  parent: blobService
  name: container
}]

resource writable 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = [for container in writableContainers: {
  parent: blobService
  name: container
}]

resource readable 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = [for container in userContainers: {
  parent: blobService
  name: container
}]

resource appReadsDocuments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in sourceContainers: {
  name: guid(account.id, container, appPrincipalId, roles.storageBlobDataReader)
  scope: source[index]
  properties: {
    description: 'Chorus reads the documents of runs.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
  }
  dependsOn: [
    ofUsers
  ]
}]

resource appWritesResults 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in writableContainers: {
  name: guid(account.id, container, appPrincipalId, roles.storageBlobDataContributor)
  scope: writable[index]
  properties: {
    description: 'Chorus writes results of runs, and large inputs and outputs.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
  dependsOn: [
    ofUsers
    payloads
  ]
}]

resource operatorBringsDocuments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in userContainers: if (!empty(operatorPrincipalId)) {
  name: guid(account.id, container, operatorPrincipalId, roles.storageBlobDataContributor)
  scope: readable[index]
  properties: {
    description: 'The operator brings documents to Chorus and fetches its results.'
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
  dependsOn: [
    ofUsers
  ]
}]

@description('Resource id of the account, for its private endpoint.')
output accountId string = account.id

@description('URL of its blobs, for CHORUS_STORAGE.')
output blobUrl string = account.properties.primaryEndpoints.blob
