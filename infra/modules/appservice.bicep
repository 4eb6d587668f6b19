// App Service as the host: a plan, the worker as a custom container on it, and rules that scale the plan.

import {
  environmentVariables
  livenessPath
  port
  readinessPath
  signedInNameHeader
  startSeconds
  terminationSeconds
} from '../worker.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Suffix that makes names unique.')
param token string

@description('Size of the plan.')
param sku string

@description('The fewest instances.')
param minReplicas int

@description('The most instances.')
param maxReplicas int

@description('Whether instances are spread over zones.')
param zoneRedundant bool

@description('The subnet the instances reach Service Bus through. Empty: none.')
param subnetId string

@description('The image azd deployed last. Empty: a placeholder that azd is about to replace.')
param imageName string

@description('The identity of the instances.')
param identityName string

@description('Its client id, by which the worker asks for it.')
param identityClientId string

@description('Host name of the Service Bus namespace.')
param serviceBusHost string

@description('Further worker settings by name.')
param settings object

@description('A domain of your own. Empty: none.')
param customDomain string

@description('Client id of the Entra application for sign-in. Empty: no sign-in.')
param signInClientId string

@description('The Log Analytics workspace for the instances\' logs.')
param workspaceName string

var signIn = !empty(signInClientId)
var most = max(minReplicas, maxReplicas)

// Easy Auth takes this name to mean: prove the application's identity by the managed identity, not by a secret. The
// setting holds a client id, which is public.
var assertionSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'

var variables = union(
  environmentVariables,
  {
    AZURE_CLIENT_ID: identityClientId
    AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE: serviceBusHost

    // The platform's own.
    WEBSITES_CONTAINER_START_TIME_LIMIT: string(startSeconds)
    WEBSITES_CONTAINER_STOP_TIME_LIMIT: string(terminationSeconds)
    WEBSITES_ENABLE_APP_SERVICE_STORAGE: 'false'
    WEBSITES_PORT: string(port)
    WEBSITE_HEALTHCHECK_MAXPINGFAILURES: '2' // a minute each: an instance out of sync for two minutes gets no new users
    WEBSITE_PROACTIVE_AUTOHEAL_ENABLED: 'false' // it mistakes long-polling for requests that hang
    WEBSITE_WARMUP_PATH: livenessPath
    WEBSITE_WARMUP_STATUSES: '200'
  },
  signIn ? { NICKNAME_HEADER: signedInNameHeader, '${assertionSetting}': identityClientId } : {},
  settings
)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'linux'
  sku: { name: sku, capacity: minReplicas }
  properties: {
    reserved: true // Linux
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  name: 'app-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'chat-appservice' })
  kind: 'app,linux,container'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: true // a long-polling session lives at one instance
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      linuxFxVersion: 'DOCKER|${empty(imageName) ? 'mcr.microsoft.com/appsvc/staticsite:latest' : imageName}'
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identityClientId
      alwaysOn: true
      webSocketsEnabled: true
      healthCheckPath: readinessPath
      ftpsState: 'Disabled'
      minTlsVersion: '1.2'
      appSettings: [for variable in items(variables): { name: variable.key, value: string(variable.value) }]
    }
  }

  resource auth 'config' = if (signIn) {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: true }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'RedirectToLoginPage'
        redirectToProvider: 'azureactivedirectory'
      }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: signInClientId
            clientSecretSettingName: assertionSetting
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
        }
      }
    }
  }
}

// Turns off publishing with a password.
resource publishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = [for kind in ['ftp', 'scm']: {
  parent: site
  name: kind
  properties: { allow: false }
}]

resource scaling 'Microsoft.Insights/autoscaleSettings@2022-10-01' = {
  name: 'scale-${token}'
  location: location
  tags: tags
  properties: {
    enabled: true
    targetResourceUri: plan.id
    profiles: [
      {
        name: 'load'
        capacity: { minimum: string(minReplicas), maximum: string(most), default: string(minReplicas) }
        rules: [for rule in most == minReplicas ? [] : [ // Azure refuses rules that can't change the number
          { metric: 'CpuPercentage', above: true, threshold: 60 }
          { metric: 'CpuPercentage', above: false, threshold: 25 }
          { metric: 'MemoryPercentage', above: true, threshold: 80 }
          { metric: 'MemoryPercentage', above: false, threshold: 50 }
        ]: {
          metricTrigger: {
            metricName: rule.metric
            metricResourceUri: plan.id
            timeGrain: 'PT1M'
            statistic: 'Average'
            timeAggregation: 'Average'
            timeWindow: rule.above ? 'PT5M' : 'PT15M'
            operator: rule.above ? 'GreaterThan' : 'LessThan'
            threshold: rule.threshold
          }
          scaleAction: {
            direction: rule.above ? 'Increase' : 'Decrease'
            type: 'ChangeCount'
            value: '1'
            cooldown: rule.above ? 'PT5M' : 'PT15M'
          }
        }]
      }
    ]
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: site
  properties: {
    workspaceId: workspace.id
    logs: [
      { category: 'AppServiceConsoleLogs', enabled: true }
      { category: 'AppServicePlatformLogs', enabled: true }
    ]
  }
}

module domain 'appservicedomain.bicep' = if (!empty(customDomain)) {
  name: 'domain'
  params: { location: location, tags: tags, siteName: site.name, planId: plan.id, domain: customDomain }
}
