// The operator's workbook: the chat's own metrics beside those of Service Bus. monitoring/panels.json has the panels.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('The Log Analytics workspace that the panels query.')
param workspaceName string

@description('The Service Bus namespace whose metrics the panels show.')
param serviceBusName string

var metrics = loadTextContent('../monitoring/metrics.kql')
var panels = loadJsonContent('../monitoring/panels.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusName
}

// Numbers of the workbook format: item type 1 is a text, 3 a query, 9 parameters, 10 metrics; parameter type 4 is a time
// range; query type 0 asks logs; chart type 2 is a line; aggregation 1 is the sum and 3 the maximum.
var sum = 1
var maximum = 3
var introduction = {
  type: 1
  name: 'introduction'
  content: { json: '# Chat\nConnections, the log that joins the instances, and what it costs.' }
}
var timeRange = {
  type: 9
  name: 'range'
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        name: 'range'
        label: 'Time range'
        type: 4
        isRequired: true
        value: { durationMs: 14400000 }
        typeSettings: {
          selectableValues: map([3600000, 14400000, 86400000, 604800000], ms => { durationMs: ms })
          allowCustom: true
        }
      }
    ]
  }
}

@description('A metric in the workbook format.')
type measuredMetric = {
  @description('Type of the measured resource.')
  namespace: string
  @description('The namespace and the metric.')
  metric: string
  @description('How the values of a time step become one.')
  aggregation: int
}

// What Service Bus measures is asked of Azure Monitor itself: diagnostic settings do not export all of these metrics.
func measured(names string[], aggregation int) measuredMetric[] =>
  map(names, name => {
    namespace: 'microsoft.servicebus/namespaces'
    metric: 'microsoft.servicebus/namespaces--${name}'
    aggregation: aggregation
  })

var charts = [
  for (panel, i) in panels: panel.chart == 'metrics'
    ? {
        type: 10
        name: 'panel ${i}'
        customWidth: '50'
        content: {
          version: 'MetricsItem/2.0'
          chartId: guid(workspace.id, string(i))
          chartType: 2
          resourceType: 'microsoft.servicebus/namespaces'
          metricScope: 0
          resourceIds: [namespace.id]
          size: 0
          title: panel.title
          timeContextFromParameter: 'range'
          metrics: concat(measured(panel.?sums ?? [], sum), measured(panel.?maxima ?? [], maximum))
        }
      }
    : {
        type: 3
        name: 'panel ${i}'
        customWidth: '50'
        content: {
          version: 'KqlItem/1.0'
          query: '${metrics}${panel.?query ?? ''}'
          queryType: 0
          resourceType: 'microsoft.operationalinsights/workspaces'
          size: 0
          title: panel.title
          timeContextFromParameter: 'range'
          visualization: panel.chart
        }
      }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'chat')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Chat'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([introduction, timeRange], charts)
      fallbackResourceIds: [workspace.id]
    })
  }
}
