// App Service as the host: a plan, the worker as a custom container on it, and rules that scale the plan.

import { resourceTags, texts } from '../settings.bicep'
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
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

@description('Size of a new plan.')
param sku string

@description('The fewest instances.')
param minReplicas int

@description('The most instances.')
param maxReplicas int

@description('Whether instances are spread over zones.')
param zoneRedundant bool

@description('The subnet the instances reach Service Bus through. Empty: none.')
param subnetId string

@description('The image of a new site. Empty: a placeholder that azd is about to replace.')
param imageName string

@description('The identity of the instances.')
param identityName string

@description('Its client id, by which the worker asks for it.')
param identityClientId string

@description('Host name of the Service Bus namespace.')
param serviceBusHost string

@description('Whether there is a store.')
param stored bool

@description('Address of its tables.')
param tableEndpoint string

@description('Further worker settings by name.')
param settings texts

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
    WEBSITE_HEALTHCHECK_MAXPINGFAILURES: '2' // a minute each
    WEBSITE_PROACTIVE_AUTOHEAL_ENABLED: 'false' // it mistakes long-polling for requests that hang
    WEBSITE_WARMUP_PATH: livenessPath
    WEBSITE_WARMUP_STATUSES: '200'
  },
  { '${assertionSetting}': identityClientId },
  stored ? { AZURE_STORAGETABLE_RESOURCEENDPOINT: tableEndpoint } : {},
  signIn ? { NICKNAME_HEADER: signedInNameHeader } : {},
  settings
)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

// A deployment leaves an existing plan as it is: setting its capacity again would undo what the rules below did.
@onlyIfNotExists()
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

// A deployment leaves an existing site as it is, with the image that azd deployed last from any checkout.
// What may change later is in the site's child resources below.
@onlyIfNotExists()
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
    }
  }

  resource web 'config' = {
    name: 'web'
    properties: {
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identityClientId
      alwaysOn: true
      webSocketsEnabled: true
      // Not the readiness path: when Service Bus fails for long, App Service would replace the instances, which have
      // the only copies of the chat's state.
      healthCheckPath: livenessPath
      ftpsState: 'Disabled'
      minTlsVersion: '1.2'
    }
  }

  // They replace all settings of the site. NICKNAME_HEADER is set after sign-in is on, and removed before it is off, so
  // that the worker never trusts a header that a client can send.
  resource appSettings 'config' = {
    name: 'appsettings'
    properties: variables
    dependsOn: [authOn]
  }
}

module authOn 'appserviceauth.bicep' = if (signIn) {
  params: {
    siteName: site.name
    signInClientId: signInClientId
    assertionSetting: assertionSetting
    openPaths: [livenessPath, readinessPath]
  }
}

module authOff 'appserviceauth.bicep' = if (!signIn) {
  params: {
    siteName: site.name
    signInClientId: ''
    assertionSetting: assertionSetting
    openPaths: []
  }
  dependsOn: [site::appSettings]
}

// These turn off publishing with a password.

resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: { allow: false }
}

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
        rules: [
          for rule in most == minReplicas
            ? []
            : [
                // Azure refuses rules that can't change the number
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
          }
        ]
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
  params: { location: location, tags: tags, siteName: site.name, planId: plan.id, domain: customDomain }
}
