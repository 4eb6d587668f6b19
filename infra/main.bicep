// Everything but the container app itself, which azd deploys from chat.bicep once its image is in the registry.
targetScope = 'subscription'

import {
  choiceProblems
  givenSettings
  hostProblems
  isTrue
  mailProblems
  monthProblems
  planSizes
  switchProblems
  texts
  whole
  wholeProblems
} from 'settings.bicep'
import { sizes } from 'worker.bicep'

// Asked for by azd.

@minLength(1)
@maxLength(64)
@description('Name of the azd environment. Every resource\'s name and tags derive from it.')
param environmentName string

@minLength(1)
@description('Azure region of every resource.')
param location string

// The host. The parameters below are texts, which settings.bicep explains and checks; an empty one means the default.

@description('What hosts the instances: containerapp (the default) or appservice.')
param host string = ''

@description('App Service: the image of a site that does not exist yet. Empty: a placeholder, which azd replaces.')
param imageName string = ''

@description('App Service: size of a plan that does not exist yet. Default: P0v3.')
param appServiceSku string = ''

@description('The fewest instances. Default: 2.')
param minReplicas string = ''

@description('The most instances, of which an App Service plan has 30. Default: 10.')
param maxReplicas string = ''

@description('Container Apps: vCPU of an instance: 0.25, 0.5 (the default), 1 or 2.')
param cpu string = ''

@description('The worker\'s own settings by name, see README.md. One that is empty is not set.')
param settings texts = {}

@description('CHAT_SETTINGS, which held the settings as one JSON text. It is refused, so that none is lost silently.')
param formerSettings string = ''

// Service Bus.

@description('Standard (the default) or Premium, which has dedicated capacity and private endpoints.')
param serviceBusSku string = ''

@description('Premium: messaging units: 1 (the default), 2, 4, 8 or 16.')
param messagingUnits string = ''

// The store.

@description('What outlives all instances: table (the default), a table of Azure Storage; or none: nothing does.')
param store string = ''

// Options, off by default.

@description('true: only the chat\'s own network reaches Service Bus, then Premium, and the store. Choose it at first.')
param privateNetworking string = ''

@description('true: spreads the instances over the region\'s zones. Choose before the first deployment.')
param zoneRedundant string = ''

@description('Your own domain; its CNAME and asuid TXT records exist.')
param customDomain string = ''

@description('Client id of the Entra application for sign-in, or empty.')
param signInClientId string = ''

// Monitoring.

@description('Mail address for alerts. Empty: no alerts.')
param alertEmail string = ''

@description('Monthly budget in the subscription\'s currency. A forecast above it sends a mail to alertEmail. 0: none.')
param monthlyBudget string = ''

@description('First day of the budget\'s first month, such as 2026-11-01: this month or later. It can\'t change later.')
param budgetStart string = ''

@description('Gigabytes of logs accepted a day, as a bound on their cost. -1: no bound. Default: 1.')
param logDailyCapGb string = ''

var onAppService = host == 'appservice'
var private = isTrue(privateNetworking)
var zones = isTrue(zoneRedundant)
var stored = store != 'none'
var largest = onAppService ? 30 : 100
var budgeted = whole(monthlyBudget, 0) > 0
var problems = concat(
  choiceProblems('CHAT_HOST', host, ['containerapp', 'appservice']),
  choiceProblems('APPSERVICE_SKU', appServiceSku, planSizes),
  hostProblems(minReplicas, maxReplicas, largest, settings, formerSettings, customDomain, signInClientId),
  choiceProblems('CHAT_CPU', cpu, objectKeys(sizes)),
  choiceProblems('SERVICEBUS_SKU', serviceBusSku, ['Standard', 'Premium']),
  choiceProblems('SERVICEBUS_UNITS', messagingUnits, ['1', '2', '4', '8', '16']),
  choiceProblems('CHAT_STORE', store, ['table', 'none']),
  switchProblems('PRIVATE_NETWORKING', privateNetworking),
  switchProblems('ZONE_REDUNDANT', zoneRedundant),
  zones && whole(minReplicas, 2) < 2 ? ['ZONE_REDUNDANT needs two instances: set CHAT_MIN_REPLICAS to 2 or more.'] : [],
  mailProblems('ALERT_EMAIL', alertEmail),
  wholeProblems('MONTHLY_BUDGET', monthlyBudget, 0, 999999999),
  monthProblems('BUDGET_START', budgetStart),
  budgeted && empty(budgetStart) ? ['MONTHLY_BUDGET needs BUDGET_START, the first day of this month.'] : [],
  budgeted && empty(alertEmail) ? ['MONTHLY_BUDGET needs ALERT_EMAIL, where its mail goes.'] : [],
  logDailyCapGb == '-1' ? [] : wholeProblems('LOG_DAILY_CAP_GB', logDailyCapGb, 1, 1000)
)

var tags = { 'azd-env-name': environmentName }
var token = toLower(uniqueString(subscription().id, environmentName, location))
// App Service spreads a plan over zones without a network.
var inNetwork = private || (zones && !onAppService)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(problems) ? 'rg-${environmentName}' : fail(join(problems, ' '))
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module logs 'modules/logs.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    dailyCapGb: logDailyCapGb == '-1' ? -1 : whole(logDailyCapGb, 1)
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token, identityName: identity.outputs.name }
}

module serviceBus 'modules/servicebus.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: private || serviceBusSku == 'Premium' ? 'Premium' : 'Standard'
    messagingUnits: whole(messagingUnits, 1)
    publicNetworkAccess: !private
    stored: stored
    identityName: identity.outputs.name
    workspaceName: logs.outputs.workspaceName
  }
}

module storage 'modules/storage.bicep' = if (stored) {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    zoneRedundant: zones
    publicNetworkAccess: !private
    identityName: identity.outputs.name
    workspaceName: logs.outputs.workspaceName
  }
}

module network 'modules/network.bicep' = if (inNetwork) {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    delegation: onAppService ? 'Microsoft.Web/serverFarms' : 'Microsoft.App/environments'
  }
}

module privateLink 'modules/privatelink.bicep' = if (private) {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    networkName: network.?outputs.name ?? ''
    serviceBusName: serviceBus.outputs.name
    stored: stored
    storageName: storage.?outputs.name ?? ''
  }
}

module environment 'modules/environment.bicep' = if (!onAppService) {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    zoneRedundant: zones
    subnetId: network.?outputs.appSubnetId ?? ''
    workspaceName: logs.outputs.workspaceName
  }
}

module site 'modules/appservice.bicep' = if (onAppService) {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: empty(appServiceSku) ? 'P0v3' : appServiceSku
    minReplicas: whole(minReplicas, 2)
    maxReplicas: whole(maxReplicas, 10)
    zoneRedundant: zones
    subnetId: network.?outputs.appSubnetId ?? ''
    imageName: imageName
    identityName: identity.outputs.name
    identityClientId: identity.outputs.clientId
    serviceBusHost: serviceBus.outputs.host
    stored: stored
    tableEndpoint: storage.?outputs.tableEndpoint ?? ''
    settings: givenSettings(settings)
    customDomain: customDomain
    signInClientId: signInClientId
    workspaceName: logs.outputs.workspaceName
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: logs.outputs.workspaceName
    serviceBusName: serviceBus.outputs.name
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    email: alertEmail
    serviceBusName: serviceBus.outputs.name
    stored: stored
    storageName: storage.?outputs.name ?? ''
    workspaceName: logs.outputs.workspaceName
  }
}

// Deployed while it has a start, so that a budget of 0 switches its mail off.
module budget 'modules/budget.bicep' = if (!empty(budgetStart)) {
  scope: group
  params: { token: token, amount: whole(monthlyBudget, 0), start: budgetStart, email: alertEmail }
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

@description('Address of the store\'s tables, under the worker\'s own name for it; empty without a store.')
output AZURE_STORAGETABLE_RESOURCEENDPOINT string = storage.?outputs.tableEndpoint ?? ''

@description('Name the container app gets.')
output CHAT_APP_NAME string = 'ca-${token}'

@description('Client id of the instances\' identity.')
output CHAT_IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Name of the instances\' identity.')
output CHAT_IDENTITY_NAME string = identity.outputs.name
