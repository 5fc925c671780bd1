// The function app on its Flex Consumption plan, and every setting that it has.

@description('Name of the plan.')
param planName string

@description('Name of the function app, and the first label of its host name.')
param name string

@description('Azure region of both.')
param location string

@description('Tags of both.')
param tags object

@description('Resource id of the app\'s identity.')
param identityId string

@description('Client id of the app\'s identity.')
param identityClientId string

@description('Storage account of the Functions host.')
param hostStorageName string

@description('URL of the container that has the package of the app.')
param packageUrl string

@description('Where telemetry goes: names the component, is no secret.')
param insightsAddress string

@description('Where the app calls the model.')
param modelEndpoint string

@description('Deployment that serves requests which name no model.')
param modelDeployment string

@description('Which API of the model is called.')
param modelApi string

@description('URL of the blobs of documents and results.')
param documentsUrl string

@description('Containers from which runs may read.')
param sourceContainers string[]

@description('Containers into which runs may write.')
param sinkContainers string[]

@description('Where the secret is that signs callbacks; empty for no callbacks.')
param callbackSecretAddress string

@description('Hosts that callbacks may go to.')
param callbackHosts string[]

@description('How the app reaches the Durable Task Scheduler; empty for Azure Storage.')
param schedulerAddress string

@description('Memory of an instance, in MB, which also sets its share of CPU.')
param instanceMemoryMB int

@description('Most instances at a time.')
param maximumInstanceCount int

@description('Requests that one instance serves at a time, before another one starts.')
param httpConcurrency int

@description('Instances that always run, for the API and for runs each; 0 scales to zero.')
param alwaysReadyInstances int

@description('Subnet through which the app calls out; empty for none.')
param subnetId string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  // By this tag azd finds where the service of azure.yaml goes.
  tags: union(tags, { 'azd-service-name': 'chorus' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.13'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
        // On Flex Consumption the functions behind HTTP and the durable ones scale in two groups of instances.
        alwaysReady: alwaysReadyInstances > 0 ? [
          {
            name: 'http'
            instanceCount: alwaysReadyInstances
          }
          {
            name: 'durable'
            instanceCount: alwaysReadyInstances
          }
        ] : []
      }
    }
  }

  // Deployment by a user name and a password is off: azd and the CI deploy with Entra ID.
  resource publishingByPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }

  resource ftpByPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    {
      AzureWebJobsStorage__accountName: hostStorageName
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: insightsAddress
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      PYTHON_ENABLE_INIT_INDEXING: '1'
      PYTHON_ENABLE_OPENTELEMETRY: 'true'
      // DefaultAzureCredential asks this identity and tries nothing else.
      AZURE_CLIENT_ID: identityClientId
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
      AZURE_OPENAI_ENDPOINT: modelEndpoint
      CHORUS_MODEL: modelDeployment
      CHORUS_MODEL_API: modelApi
      CHORUS_STORAGE: documentsUrl
      CHORUS_SOURCE_CONTAINERS: join(sourceContainers, ',')
      CHORUS_SINK_CONTAINERS: join(sinkContainers, ',')
    },
    empty(callbackSecretAddress) ? {} : {
      CHORUS_CALLBACK_SECRET: '@Microsoft.KeyVault(SecretUri=${callbackSecretAddress})'
      CHORUS_CALLBACK_HOSTS: join(callbackHosts, ',')
    },
    empty(schedulerAddress) ? {} : {
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: schedulerAddress
    }
  )
}

@description('Name of the function app.')
output name string = app.name

@description('Where the app is called.')
output url string = 'https://${app.properties.defaultHostName}'
