// The one identity of the app: with it the app calls everything that it calls.

@description('Name of the identity.')
param name string

@description('Azure region of the identity.')
param location string

@description('Tags of the identity.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, to attach the identity to the app.')
output id string = identity.id

@description('Client id, by which the app says which identity it means.')
output clientId string = identity.properties.clientId

@description('Object id in Entra ID, to which roles are assigned.')
output principalId string = identity.properties.principalId
