// What joins the instances: one topic in a namespace of its own, reached by identity alone.

import { resourceTags } from '../settings.bicep'
import { topicName } from '../worker.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

@description('Standard or Premium.')
@allowed(['Standard', 'Premium'])
param sku string

@description('Premium: messaging units.')
param messagingUnits int

@description('Whether the namespace answers from public networks.')
param publicNetworkAccess bool

@description('Whether there is a store.')
param stored bool

@description('The identity of the instances.')
param identityName string

@description('The Log Analytics workspace that gets the namespace\'s metrics and operational logs.')
param workspaceName string

// Data Owner, because each instance creates and deletes its own subscription, and only this built-in role may. The
// namespace holds nothing but the chat's topic and queue, so the role reaches no further than it must.
var dataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sb-${token}'
  location: location
  tags: tags
  sku: {
    name: sku
    tier: sku
    capacity: sku == 'Premium' ? messagingUnits : null
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess ? 'Enabled' : 'Disabled'
  }

  // The topic is the log of the chat. It has no partitions, so that all subscriptions share one order. It has no
  // duplicate detection, because instances send again what does not come back, and drop repeats themselves. It has no
  // time to live, which would bound that of the archive; the instances' subscriptions have one of ten minutes.
  resource topic 'topics' = {
    name: topicName
    properties: {
      supportOrdering: true
      enablePartitioning: false
      requiresDuplicateDetection: false
      enableBatchedOperations: true
      maxSizeInMegabytes: 5120
    }

    // What is published to all stays here until it is in the store. Without a store the subscription keeps nothing, and
    // goes: a template can't remove one of an earlier deployment, which would fill the topic.
    resource archive 'subscriptions' = {
      name: 'archive'
      properties: union(
        {
          lockDuration: 'PT30S'
          maxDeliveryCount: 2000
          enableBatchedOperations: true
          deadLetteringOnMessageExpiration: false
        },
        stored ? {} : { defaultMessageTimeToLive: 'PT1M', autoDeleteOnIdle: 'PT5M' }
      )

      resource toAll 'rules' = {
        name: '$Default'
        properties: { filterType: 'SqlFilter', sqlFilter: { sqlExpression: '"to" IS NULL' } }
      }
    }
  }

  // In a large cluster the instances put their batches into this queue, and one of them, which holds its session,
  // publishes them. What nobody reads for a minute was sent directly meanwhile.
  resource batches 'queues' = {
    name: '${topicName}-batches'
    properties: {
      requiresSession: true
      enablePartitioning: false
      requiresDuplicateDetection: false
      enableBatchedOperations: true
      lockDuration: 'PT30S'
      defaultMessageTimeToLive: 'PT1M'
      maxDeliveryCount: 2000
      maxSizeInMegabytes: 1024
    }
  }
}

resource own 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, identity.id, dataOwner)
  scope: namespace
  properties: {
    description: 'The instances publish, receive, and manage their own subscriptions.'
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataOwner)
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: namespace
  properties: {
    workspaceId: workspace.id
    logs: [{ category: 'OperationalLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('Name of the namespace.')
output name string = namespace.name
@description('Fully qualified host name of the namespace.')
output host string = split(replace(namespace.properties.serviceBusEndpoint, 'https://', ''), ':')[0]
