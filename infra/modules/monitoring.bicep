// Log Analytics and Application Insights, which take telemetry from Entra ID identities only.

import { roles } from 'roles.bicep'

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param name string

@description('Azure region of both.')
param location string

@description('Tags of both.')
param tags object

@description('Days for which telemetry is kept.')
param retentionDays int

@description('Most telemetry a day, in GB; -1 for no limit. What comes after it is lost until the next day.')
param dailyQuotaGb int

@description('Object id of the app\'s identity, which may send telemetry.')
param appPrincipalId string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource appSendsTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, appPrincipalId, roles.monitoringMetricsPublisher)
  scope: insights
  properties: {
    description: 'Chorus sends its traces, metrics and logs.'
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

// It names the component and its region, and lets nobody in: DisableLocalAuth makes its key worthless.
@description('Where telemetry goes.')
output insightsAddress string = insights.properties.ConnectionString

@description('Name of the Application Insights component.')
output insightsName string = insights.name
