// The operator's workbook: the chat's own metrics beside those of Service Bus. monitoring/panels.json has the panels.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('The Log Analytics workspace that the panels query.')
param workspaceName string

var metrics = loadTextContent('../monitoring/metrics.kql')
var panels = loadJsonContent('../monitoring/panels.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

// Numbers of the workbook format: item type 1 is a text, 3 a query, 9 parameters; parameter type 4 is a time range;
// query type 0 asks logs.
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
var charts = [
  for (panel, i) in panels: {
    type: 3
    name: 'panel ${i}'
    customWidth: '50'
    content: {
      version: 'KqlItem/1.0'
      query: '${metrics}${panel.query}'
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
