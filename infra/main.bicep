// Chorus on Azure, in one resource group: `azd up` deploys it. docs/decisions/0023-infrastructure.md says why so.

targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the environment, such as chorus-test. It is in the name of the resource group, and makes the other names differ.')
param environmentName string

@minLength(1)
@metadata({ azd: { type: 'location' } })
@description('Azure region of everything except the model. It must offer Flex Consumption with Python 3.13.')
param location string

@description('Tags of every resource, beside the one by which azd finds them.')
param tags object = {}

// The model

@description('Resource id of an Azure OpenAI or Foundry account to use, which must have a custom subdomain. Empty makes a new one. Whoever deploys must be allowed to assign a role on it.')
param existingModelAccountId string = ''

@description('Azure region of a new model account; empty for the region of the rest.')
param modelLocation string = ''

@minLength(2)
@maxLength(64)
@description('Name of the deployment that serves requests which name no model: of the existing account, or to be made.')
param modelDeploymentName string = 'gpt-5-mini'

@description('Model of a new deployment.')
param modelName string = 'gpt-5-mini'

@description('Version of the model of a new deployment; empty for the one that Azure holds for the default.')
param modelVersion string = ''

@allowed([
  'GlobalStandard'
  'DataZoneStandard'
  'Standard'
])
@description('Where a new deployment may compute answers: anywhere, in the data zone (EU, US), or in its region. Not each model has each.')
param modelSku string = 'GlobalStandard'

@minValue(1)
@description('Rate limit of a new deployment, in thousands of tokens a minute. It bounds how many calls of a run can be in flight, and costs nothing by itself.')
param modelCapacity int = 100

@allowed([
  'responses'
  'chat_completions'
])
@description('Which API of the model the app calls; some models have only the second.')
param modelApi string = 'responses'

// Documents and results

@description('Containers from which runs may read documents, separated by commas; a comma alone for none. They are made.')
param sourceContainers string = 'documents'

@description('Containers into which runs may write results, separated by commas; a comma alone for none. The first is the default. They are made.')
param sinkContainers string = 'results'

@minValue(1)
@maxValue(365)
@description('Days for which deleted documents and results can be had back.')
param undeleteDays int = 7

@description('Object id of a user, group or service principal who brings documents and fetches results, because keys are off; empty for nobody.')
param operatorPrincipalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
@description('What the operator is.')
param operatorPrincipalType string = 'User'

// Callbacks

@secure()
@description('What signs callbacks: whsec_ and 24 to 64 random bytes in base64. It goes into a key vault, and the app\'s settings only refer to it. Empty, or no hosts, for no callbacks.')
param callbackSecret string = ''

@description('Hosts that callbacks may go to, separated by commas, such as hooks.example.com,*.logic.azure.com.')
param callbackHosts string = ''

// Runs

@minValue(0)
@maxValue(3650)
@description('Days after which ended runs are purged from the task hub, prompts and answers included: 3 or more; 0 for never. Large payloads need a lifecycle rule beside it, see docs/operations.md.')
param runRetentionDays int = 0

// Durable Functions

@allowed([
  'azureStorage'
  'scheduler'
])
@description('What keeps the state of runs: queues and tables of the host\'s storage, or a Durable Task Scheduler. The app must be packaged with the host.json that goes with it, which azure.yaml does.')
param durableBackend string = 'azureStorage'

@allowed([
  'Consumption'
  'Dedicated'
])
@description('How a scheduler is paid: by the action, or by the unit of capacity.')
param schedulerSku string = 'Consumption'

@description('CIDR ranges from which a scheduler takes calls, separated by commas. The default takes them from anywhere, by Entra ID only: addresses of Flex Consumption are not fixed.')
param schedulerIpAllowlist string = '0.0.0.0/0'

// Scale

@allowed([
  512
  2048
  4096
])
@description('Memory of an instance in MB; CPU goes with it (about a quarter of a core, one, two). One core replays orchestrations and serves the API without falling behind; memory is not what binds.')
param instanceMemoryMB int = 2048

@minValue(40)
@maxValue(1000)
@description('Most instances at a time: the ceiling of cost. 40 instances hold 8,000 calls in flight (200 each, host.json), more than most rate limits serve.')
param maximumInstanceCount int = 40

@minValue(1)
@maxValue(100)
@description('Requests that one instance serves at a time before another one starts. A run of three calls takes 28 ms of CPU, its start included, so 32 starts at once are answered within a second. host.json runs no more than 100 at a time.')
param httpConcurrency int = 32

@minValue(0)
@description('Instances that always run, for the API and for runs each. 0 scales to zero; 1 spares the first request a cold start, and costs all day.')
param alwaysReadyInstances int = 0

// Storage, monitoring, network

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
@description('How both storage accounts are replicated. ZRS outlives the loss of a zone, where the region has zones.')
param storageSku string = 'Standard_LRS'

@minValue(30)
@maxValue(730)
@description('Days for which telemetry is kept.')
param logRetentionDays int = 30

@minValue(-1)
@description('Most telemetry a day in GB, so that a loop cannot cost a fortune; -1 for no limit. What comes after it is lost until the next day.')
param logDailyQuotaGb int = 5

@description('Whether storage, key vault and a new model account are reached only from a virtual network, which is made. The API stays public, behind its keys; an existing model account and a scheduler stay as they are.')
param privateNetwork bool = false

@description('Addresses of the virtual network: a CIDR range of /24 or wider that nothing else uses which it is to be peered with.')
param networkAddressPrefix string = '10.80.0.0/24'

var token = toLower(uniqueString(subscription().id, environmentName, location))
var names = {
  resourceGroup: 'rg-${environmentName}'
  identity: 'id-chorus-${token}'
  workspace: 'log-chorus-${token}'
  insights: 'appi-chorus-${token}'
  hostStorage: 'sthost${token}'
  documents: 'stdocs${token}'
  model: 'oai-chorus-${token}'
  vault: 'kv-${token}'
  scheduler: 'dts-chorus-${token}'
  network: 'vnet-chorus-${token}'
  plan: 'plan-chorus-${token}'
  app: 'func-chorus-${token}'
}
var allTags = union(tags, { 'azd-env-name': environmentName })

var sources = filter(map(split(sourceContainers, ','), part => trim(part)), part => !empty(part))
var sinks = filter(map(split(sinkContainers, ','), part => trim(part)), part => !empty(part))
var hosts = filter(map(split(callbackHosts, ','), part => trim(part)), part => !empty(part))
var schedulerRanges = filter(map(split(schedulerIpAllowlist, ','), part => trim(part)), part => !empty(part))

// 1 and 2 are within the limits of the number, and the app would refuse them only when it starts (shared/settings.py).
var retentionDays = runRetentionDays == 0 || runRetentionDays >= 3 ? runRetentionDays : fail('runRetentionDays (CHORUS_RETENTION_DAYS) must be 3 or more, or 0 for never.')

var makesModel = empty(existingModelAccountId)
var sendsCallbacks = !empty(callbackSecret) && !empty(hosts)
var usesScheduler = durableBackend == 'scheduler'

// Without an existing account these name this deployment's own group, because the scope of a module is read even when
// its condition is false.
var existingModelParts = split(makesModel ? '/subscriptions/${subscription().subscriptionId}/resourceGroups/${names.resourceGroup}/providers/Microsoft.CognitiveServices/accounts/none' : existingModelAccountId, '/')

var storageSuffix = environment().suffixes.storage
var blobZone = 'privatelink.blob.${storageSuffix}'
var queueZone = 'privatelink.queue.${storageSuffix}'
var tableZone = 'privatelink.table.${storageSuffix}'
var modelZone = 'privatelink.openai.azure.com'
var vaultZone = 'privatelink.vaultcore.azure.net'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: names.resourceGroup
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'chorus-identity'
  scope: group
  params: {
    name: names.identity
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'chorus-monitoring'
  scope: group
  params: {
    workspaceName: names.workspace
    name: names.insights
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
    appPrincipalId: identity.outputs.principalId
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  name: 'chorus-host-storage'
  scope: group
  params: {
    name: names.hostStorage
    location: location
    tags: allTags
    sku: storageSku
    privateNetwork: privateNetwork
    packageContainer: 'app-package'
    appPrincipalId: identity.outputs.principalId
  }
}

module documents 'modules/documents.bicep' = {
  name: 'chorus-documents'
  scope: group
  params: {
    name: names.documents
    location: location
    tags: allTags
    sku: storageSku
    privateNetwork: privateNetwork
    sourceContainers: sources
    sinkContainers: sinks
    undeleteDays: undeleteDays
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module model 'modules/model.bicep' = if (makesModel) {
  name: 'chorus-model'
  scope: group
  params: {
    name: names.model
    location: empty(modelLocation) ? location : modelLocation
    tags: allTags
    deploymentName: modelDeploymentName
    modelName: modelName
    modelVersion: modelVersion
    deploymentSku: modelSku
    capacity: modelCapacity
    privateNetwork: privateNetwork
    appPrincipalId: identity.outputs.principalId
  }
}

module existingModel 'modules/existing-model.bicep' = if (!makesModel) {
  name: 'chorus-existing-model-${token}'
  scope: resourceGroup(existingModelParts[2], existingModelParts[4])
  params: {
    name: existingModelParts[8]
    appPrincipalId: identity.outputs.principalId
  }
}

module secrets 'modules/secrets.bicep' = if (sendsCallbacks) {
  name: 'chorus-secrets'
  scope: group
  params: {
    name: names.vault
    location: location
    tags: allTags
    callbackSecret: callbackSecret
    privateNetwork: privateNetwork
    appPrincipalId: identity.outputs.principalId
  }
}

module scheduler 'modules/scheduler.bicep' = if (usesScheduler) {
  name: 'chorus-scheduler'
  scope: group
  params: {
    name: names.scheduler
    location: location
    tags: allTags
    sku: schedulerSku
    ipAllowlist: schedulerRanges
    taskHubName: 'ChorusHub'
    appPrincipalId: identity.outputs.principalId
    appClientId: identity.outputs.clientId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'chorus-network'
  scope: group
  params: {
    name: names.network
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    zoneNames: concat([blobZone, queueZone, tableZone], makesModel ? [modelZone] : [], sendsCallbacks ? [vaultZone] : [])
  }
}

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'chorus-private-endpoints'
  scope: group
  params: {
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    endpoints: concat([
      {
        name: 'pe-host-blob'
        targetId: hostStorage.outputs.accountId
        group: 'blob'
        zone: blobZone
      }
      {
        name: 'pe-host-queue'
        targetId: hostStorage.outputs.accountId
        group: 'queue'
        zone: queueZone
      }
      {
        name: 'pe-host-table'
        targetId: hostStorage.outputs.accountId
        group: 'table'
        zone: tableZone
      }
      {
        name: 'pe-documents-blob'
        targetId: documents.outputs.accountId
        group: 'blob'
        zone: blobZone
      }
    ], makesModel ? [
      {
        name: 'pe-model'
        targetId: model!.outputs.accountId
        group: 'account'
        zone: modelZone
      }
    ] : [], sendsCallbacks ? [
      {
        name: 'pe-vault'
        targetId: secrets!.outputs.vaultId
        group: 'vault'
        zone: vaultZone
      }
    ] : [])
  }
}

module app 'modules/app.bicep' = {
  name: 'chorus-app'
  scope: group
  params: {
    planName: names.plan
    name: names.app
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostStorageName: hostStorage.outputs.accountName
    packageUrl: hostStorage.outputs.packageUrl
    insightsAddress: monitoring.outputs.insightsAddress
    modelEndpoint: makesModel ? model!.outputs.endpoint : existingModel!.outputs.endpoint
    modelDeployment: modelDeploymentName
    modelApi: modelApi
    documentsUrl: documents.outputs.blobUrl
    sourceContainers: sources
    sinkContainers: sinks
    callbackSecretAddress: sendsCallbacks ? secrets!.outputs.callbackSecretAddress : ''
    callbackHosts: hosts
    runRetentionDays: retentionDays
    schedulerAddress: usesScheduler ? scheduler!.outputs.address : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyInstances: alwaysReadyInstances
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
  }
  // Where storage is private, the app must find it before it starts.
  dependsOn: [
    privateEndpoints
  ]
}

@description('Resource group of the deployment.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app, to ask for its keys: az functionapp keys list.')
output CHORUS_APP_NAME string = app.outputs.name

@description('Where the app is called: GET /api/health says whether it is ready.')
output CHORUS_URL string = app.outputs.url

@description('URL of the blobs of documents and results.')
output CHORUS_DOCUMENTS_URL string = documents.outputs.blobUrl

@description('Name of the Application Insights component.')
output CHORUS_INSIGHTS_NAME string = monitoring.outputs.insightsName
