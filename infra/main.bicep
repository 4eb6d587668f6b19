// Everything but the container app itself, which azd deploys from chat.bicep once its image is in the registry.
targetScope = 'subscription'

// Asked for by azd.

@minLength(1)
@maxLength(64)
@description('Name of the azd environment. Every resource\'s name and tags derive from it.')
param environmentName string

@minLength(1)
@description('Azure region of every resource.')
param location string

// The host.

@description('What hosts the instances: Container Apps or App Service.')
@allowed(['containerapp', 'appservice'])
param host string = 'containerapp'

@description('App Service: the image azd deployed last, so that a later provision keeps it. Empty before the first.')
param imageName string = ''

@description('App Service: size of the plan. Basic sizes allow 350 sockets an instance only.')
param appServiceSku string = 'P0v3'

@description('App Service: the fewest instances. (Container Apps has this in chat.bicep.)')
@minValue(1)
@maxValue(100)
param minReplicas int = 2

@description('App Service: the most instances, of which a plan has 30. (Container Apps has this in chat.bicep.)')
@minValue(1)
@maxValue(100)
param maxReplicas int = 10

@description('App Service: more worker settings by name, see README.md. (Container Apps: see chat.bicep.)')
param settings object = {}

// Service Bus.

@description('Topics need Standard or Premium. Premium has dedicated capacity, and private endpoints.')
@allowed(['Standard', 'Premium'])
param serviceBusSku string = 'Standard'

@description('Premium: messaging units.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int = 1

// Options, off by default.

@description('Only the chat\'s own network reaches Service Bus. Implies Premium. Choose before the first deployment.')
param privateNetworking bool = false

@description('Spreads the instances over the region\'s zones. Choose before the first deployment.')
param zoneRedundant bool = false

@description('App Service: your own domain; its CNAME and asuid TXT records exist. (Container Apps: see chat.bicep.)')
param customDomain string = ''

@description('App Service: client id of the Entra application for sign-in, or empty. (Container Apps: see chat.bicep.)')
param signInClientId string = ''

// Monitoring.

@description('Mail address for alerts. Empty: no alerts.')
param alertEmail string = ''

@description('Monthly budget in the subscription\'s currency. A forecast above it sends a mail to alertEmail. 0: none.')
@minValue(0)
param monthlyBudget int = 0

@description('First day of the budget\'s first month, such as 2026-11-01: this month or later. It can\'t change later.')
param budgetStart string = ''

@description('Gigabytes of logs accepted a day, as a bound on their cost. -1: no bound.')
param logDailyCapGb int = 1

var tags = { 'azd-env-name': environmentName }
var token = toLower(uniqueString(subscription().id, environmentName, location))
var inNetwork = privateNetworking || zoneRedundant

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { location: location, tags: tags, token: token }
}

module logs 'modules/logs.bicep' = {
  name: 'logs'
  scope: group
  params: { location: location, tags: tags, token: token, dailyCapGb: logDailyCapGb }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  scope: group
  params: { location: location, tags: tags, token: token, identityName: identity.outputs.name }
}

module serviceBus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: privateNetworking ? 'Premium' : serviceBusSku
    messagingUnits: messagingUnits
    publicNetworkAccess: !privateNetworking
    identityName: identity.outputs.name
    workspaceName: logs.outputs.workspaceName
  }
}

module network 'modules/network.bicep' = if (inNetwork) {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    delegation: host == 'containerapp' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
  }
}

module privateLink 'modules/privatelink.bicep' = if (privateNetworking) {
  name: 'privatelink'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    networkName: network.?outputs.name ?? ''
    serviceBusName: serviceBus.outputs.name
  }
}

module environment 'modules/environment.bicep' = if (host == 'containerapp') {
  name: 'environment'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    zoneRedundant: zoneRedundant
    subnetId: network.?outputs.appSubnetId ?? ''
    workspaceName: logs.outputs.workspaceName
  }
}

module site 'modules/appservice.bicep' = if (host == 'appservice') {
  name: 'appservice'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: appServiceSku
    minReplicas: minReplicas
    maxReplicas: maxReplicas
    zoneRedundant: zoneRedundant
    subnetId: network.?outputs.appSubnetId ?? ''
    imageName: imageName
    identityName: identity.outputs.name
    identityClientId: identity.outputs.clientId
    serviceBusHost: serviceBus.outputs.host
    settings: settings
    customDomain: customDomain
    signInClientId: signInClientId
    workspaceName: logs.outputs.workspaceName
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: { location: location, tags: tags, workspaceName: logs.outputs.workspaceName }
}

module alerts 'modules/alerts.bicep' = if (!empty(alertEmail)) {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    email: alertEmail
    serviceBusName: serviceBus.outputs.name
    workspaceName: logs.outputs.workspaceName
  }
}

module budget 'modules/budget.bicep' = if (!empty(alertEmail) && monthlyBudget > 0) {
  name: 'budget'
  scope: group
  params: { token: token, amount: monthlyBudget, start: budgetStart, email: alertEmail }
}

// azd reads the first two itself, chat.bicepparam the rest and the second.

@description('The resource group that azd deploys to and deletes.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The registry that azd pushes images to.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer

@description('The Container Apps environment; empty on App Service.')
output AZURE_CONTAINER_APPS_ENVIRONMENT_NAME string = environment.?outputs.name ?? ''

@description('Host name of the Service Bus namespace, under the worker\'s own name for it.')
output AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE string = serviceBus.outputs.host

@description('Name the container app gets.')
output CHAT_APP_NAME string = 'ca-${token}'

@description('Client id of the instances\' identity.')
output CHAT_IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Name of the instances\' identity.')
output CHAT_IDENTITY_NAME string = identity.outputs.name
