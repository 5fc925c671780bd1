// An Azure OpenAI or Foundry account that exists already: nothing of it is changed, the app is only let in.

import { roles } from 'roles.bicep'

@description('Name of the account.')
param name string

@description('Object id of the app\'s identity, which may call the models.')
param appPrincipalId string

resource account 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = {
  name: name
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

// Entra ID needs a host name of the account's own; an account without a custom subdomain has none.
@description('Where the app calls the model, for AZURE_OPENAI_ENDPOINT.')
output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com'
