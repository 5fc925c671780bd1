// The Durable Task Scheduler: a task hub that Azure runs, in place of the queues and tables of the host's storage.

import { roles } from 'roles.bicep'

@description('Name of the scheduler.')
param name string

@description('Azure region of the scheduler: the same as the app\'s.')
param location string

@description('Tags of the scheduler.')
param tags object

@description('How the scheduler is paid: by the action, or by the unit of capacity.')
param sku string

@description('Addresses from which the scheduler takes calls, as CIDR ranges; an empty list takes none.')
param ipAllowlist string[]

@description('Name of the task hub: hubName in infra/host.scheduler.json.')
param taskHubName string

@description('Object id of the app\'s identity, which works in the task hub.')
param appPrincipalId string

@description('Client id of the same identity, which the app signs in with.')
param appClientId string

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    ipAllowlist: ipAllowlist
    sku: {
      name: sku
    }
  }
}

resource taskHub 'Microsoft.DurableTask/schedulers/taskHubs@2025-11-01' = {
  parent: scheduler
  name: taskHubName
}

resource appWorksInTaskHub 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(taskHub.id, appPrincipalId, roles.durableTaskDataContributor)
  scope: taskHub
  properties: {
    description: 'Chorus runs its orchestrations in this task hub.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.durableTaskDataContributor)
  }
}

@description('How the app reaches the scheduler: an address and an identity, no key.')
output address string = 'Endpoint=${scheduler.properties.endpoint};Authentication=ManagedIdentity;ClientID=${appClientId}'
