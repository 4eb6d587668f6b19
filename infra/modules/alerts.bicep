// Alert rules: instances out of sync, refused requests, evictions, Service Bus busy, unread messages, the store out of
// reach. They send mail.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

@description('Mail address of the operator. Empty: the rules are there and switched off, as Azure removes none.')
param email string

@description('The Service Bus namespace to watch.')
param serviceBusName string

@description('Whether there is a store to watch.')
param stored bool

@description('Its storage account.')
param storageName string

@description('The Log Analytics workspace with the instances\' metrics.')
param workspaceName string

var on = !empty(email)
var metrics = loadTextContent('../monitoring/metrics.kql')

var busAlerts = [
  {
    name: 'server-busy'
    text: 'Service Bus throttled the chat, which goes on with larger batches. If it lasts, use Premium.'
    metric: 'ThrottledRequests'
    aggregation: 'Total'
    threshold: 0
    window: 'PT5M'
  }
  {
    name: 'dead-letters'
    text: 'An entry was delivered many times without being settled: an instance receives and never completes.'
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    window: 'PT15M'
  }
  {
    name: 'unread'
    text: 'Messages stay unread: a subscription without an instance was not deleted, or the store does not take them.'
    metric: 'ActiveMessages'
    aggregation: 'Minimum'
    threshold: 100
    window: 'PT15M'
  }
]

var logAlerts = [
  {
    name: 'not-ready'
    text: 'An instance was out of sync with the others for five of the last fifteen minutes.'
    query: 'metrics | summarize Minutes = countif(toint(M["chat.ready"]) == 0) by Instance | where Minutes >= 5'
  }
  {
    name: 'not-saved'
    text: 'The store did not take messages for five of the last fifteen minutes. The chat goes on; its log says why.'
    query: 'metrics | summarize Minutes = countif(toint(M["chat.store.saved"]) == 0) by Instance | where Minutes >= 5'
  }
  {
    name: 'refusals'
    text: 'An instance refused over 5,000 requests of clients in fifteen minutes. Its log names who sent them.'
    query: '''metrics
| summarize Refusals = sum(tolong(M["chat.refusals"]) + tolong(M["chat.transport.refusals"])) by Instance
| where Refusals > 5000'''
  }
  {
    name: 'evictions'
    text: 'In fifteen minutes over 100 rooms were closed for others, or 100 slow clients cut. The log names who did it.'
    query: '''metrics
| summarize Rooms = sum(tolong(M["chat.rooms.given_up"])), Cut = sum(tolong(M["chat.slow_consumers"])) by Instance
| where Rooms > 100 or Cut > 100'''
  }
  {
    name: 'silent'
    text: 'No instance has written a log line for fifteen minutes.'
    query: 'metrics | summarize Lines = count() | where Lines == 0'
  }
]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource mail 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: on
    groupShortName: 'chat'
    emailReceivers: on ? [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }] : []
  }
}

resource busAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for alert in busAlerts: {
    name: '${alert.name}-${token}'
    location: 'global'
    tags: tags
    properties: {
      description: alert.text
      enabled: on
      severity: 2
      scopes: [namespace.id]
      evaluationFrequency: 'PT5M'
      windowSize: alert.window
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricNamespace: 'Microsoft.ServiceBus/namespaces'
            metricName: alert.metric
            timeAggregation: alert.aggregation
            operator: 'GreaterThan'
            threshold: alert.threshold
          }
        ]
      }
      actions: [{ actionGroupId: mail.id }]
      autoMitigate: true
    }
  }
]

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = if (stored) {
  name: storageName
}

resource storeAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = if (stored) {
  name: 'store-unavailable-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The store answered less than 99 % of requests: the chat goes on, and Service Bus keeps what is said.'
    enabled: on
    severity: 1
    scopes: ['${account.id}/tableServices/default']
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'store-unavailable'
          metricNamespace: 'Microsoft.Storage/storageAccounts/tableServices'
          metricName: 'Availability'
          timeAggregation: 'Average'
          operator: 'LessThan'
          threshold: 99
        }
      ]
    }
    actions: [{ actionGroupId: mail.id }]
    autoMitigate: true
  }
}

resource logAlert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: '${alert.name}-${token}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      description: alert.text
      enabled: on
      severity: 1
      scopes: [workspace.id]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      criteria: {
        allOf: [
          {
            query: '${metrics}${alert.query}'
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
          }
        ]
      }
      actions: { actionGroups: [mail.id] }
      autoMitigate: true
      skipQueryValidation: true // the tables appear with the first log lines
    }
  }
]
