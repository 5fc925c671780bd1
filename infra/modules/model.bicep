// An Azure OpenAI account with one deployment, which Entra ID identities call and keys do not.

import { roles } from 'roles.bicep'

@description('Name of the account, and the first label of its host name.')
param name string

@description('Azure region of the account: not every region has every model.')
param location string

@description('Tags of the account.')
param tags object

@description('Name of the deployment, which requests name as their model.')
param deploymentName string

@description('Name of the model.')
param modelName string

@description('Version of the model; empty for the one that Azure holds for the default.')
param modelVersion string

@description('Kind of the deployment: where answers may be computed, and how they are paid.')
param deploymentSku string

@description('Rate limit, in thousands of tokens a minute for the models of today.')
param capacity int

@description('Whether it is reached through private endpoints only.')
param privateNetwork bool

@description('Object id of the app\'s identity, which may call the models.')
param appPrincipalId string

resource account 'Microsoft.CognitiveServices/accounts@2024-10-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: {
    name: 'S0'
  }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

resource deployment 'Microsoft.CognitiveServices/accounts/deployments@2024-10-01' = {
  parent: account
  name: deploymentName
  sku: {
    name: deploymentSku
    capacity: capacity
  }
  properties: {
    model: {
      format: 'OpenAI'
      name: modelName
      version: empty(modelVersion) ? null : modelVersion
    }
    // A version is replaced when it is retired, not before: answers change with it.
    versionUpgradeOption: 'OnceCurrentVersionExpired'
  }
}

resource appCallsModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, roles.cognitiveServicesOpenAIUser)
  scope: account
  properties: {
    description: 'Chorus calls the models of this account.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.cognitiveServicesOpenAIUser)
  }
}

@description('Where the app calls the model, for AZURE_OPENAI_ENDPOINT.')
output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com'

@description('Resource id of the account, for its private endpoint.')
output accountId string = account.id
