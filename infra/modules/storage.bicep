// Where the chat's log and history outlive the instances: one table, reached by identity alone.

import { resourceTags } from '../settings.bicep'
import { tableName } from '../worker.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@minLength(3) // of the letters that an account's name needs
@description('Suffix that makes names unique.')
param token string

@description('Whether copies are kept in three zones of the region.')
param zoneRedundant bool

@description('Whether the account answers from public networks.')
param publicNetworkAccess bool

@description('The identity of the instances.')
param identityName string

@description('The Log Analytics workspace that gets the metrics.')
param workspaceName string

// Storage Table Data Contributor reads and writes tables and their rows, and nothing else of the account.
var dataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
    networkAcls: { bypass: 'None', defaultAction: publicNetworkAccess ? 'Allow' : 'Deny' }
  }

  resource tables 'tableServices' = {
    name: 'default'

    resource chat 'tables' = {
      name: tableName
    }
  }
}

resource write 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, identity.id, dataContributor)
  scope: account
  properties: {
    description: 'The instances read and write the chat\'s table.'
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataContributor)
  }
}

// Metrics alone: a log line for each operation would cost more than the operations.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'metrics'
  scope: account::tables
  properties: {
    workspaceId: workspace.id
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

@description('Name of the account.')
output name string = account.name
@description('Address of its tables.')
output tableEndpoint string = account.properties.primaryEndpoints.table
