// The built-in roles that this template assigns, and no others: name in Azure, what the app does with it.

@export()
@description('Ids of built-in roles, the same in every tenant.')
var roles = {
  // Storage Blob Data Owner: leases and keys of the Functions host, its package, large messages of the task hub.
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  // Storage Blob Data Contributor: results and payloads.
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  // Storage Blob Data Reader: documents.
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  // Storage Queue Data Contributor: control and work-item queues of the task hub.
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  // Storage Table Data Contributor: history and instances of the task hub.
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  // Monitoring Metrics Publisher: sends telemetry to Application Insights, reads none.
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  // Cognitive Services OpenAI User: calls models, neither deploys nor changes any.
  cognitiveServicesOpenAIUser: '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
  // Key Vault Secrets User: reads the values of secrets.
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  // Durable Task Data Contributor: all that an app does with its task hub.
  durableTaskDataContributor: '0ad04412-c4d5-4796-b79c-f76d14c8d402'
}
