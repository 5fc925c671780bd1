"""The built-in roles that the templates may assign, as Microsoft publishes them: name and id.

Source: "Azure built-in roles" (learn.microsoft.com/azure/role-based-access-control/built-in-roles). Owner, Contributor
and User Access Administrator are not among them, and never will be.
"""

ROLES = {
    "storageBlobDataOwner": ("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    "storageBlobDataContributor": ("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    "storageBlobDataReader": ("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
    "storageQueueDataContributor": ("Storage Queue Data Contributor", "974c5e8b-45b9-4653-ba55-5f855dd0fb88"),
    "storageTableDataContributor": ("Storage Table Data Contributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),
    "monitoringMetricsPublisher": ("Monitoring Metrics Publisher", "3913510d-42f4-4e42-8a64-420c390055eb"),
    "cognitiveServicesOpenAIUser": ("Cognitive Services OpenAI User", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"),
    "keyVaultSecretsUser": ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
    "durableTaskDataContributor": ("Durable Task Data Contributor", "0ad04412-c4d5-4796-b79c-f76d14c8d402"),
}

STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
ASSIGNED = {
    ("host-storage", "app", "storageBlobDataOwner", STORAGE),
    ("host-storage", "app", "storageQueueDataContributor", STORAGE),
    ("host-storage", "app", "storageTableDataContributor", STORAGE),
    ("documents", "app", "storageBlobDataReader", CONTAINER),
    ("documents", "app", "storageBlobDataContributor", CONTAINER),
    ("documents", "operator", "storageBlobDataContributor", CONTAINER),
    ("model", "app", "cognitiveServicesOpenAIUser", "Microsoft.CognitiveServices/accounts"),
    ("existing-model", "app", "cognitiveServicesOpenAIUser", "Microsoft.CognitiveServices/accounts"),
    ("monitoring", "app", "monitoringMetricsPublisher", "Microsoft.Insights/components"),
    ("secrets", "app", "keyVaultSecretsUser", "Microsoft.KeyVault/vaults/secrets"),
    ("scheduler", "app", "durableTaskDataContributor", "Microsoft.DurableTask/schedulers/taskHubs"),
}
"""Every assignment: its module, who gets it, the role, and the type of resource that it is on. No more is needed."""
