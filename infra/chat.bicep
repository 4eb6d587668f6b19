// The container app. azd deploys this file after it has built and pushed the image, so that the first revision is the
// worker itself, with its own port, probes and scale rules, and no placeholder image.

import { choiceProblems, givenSettings, hostProblems, texts, whole } from 'settings.bicep'
import {
  environmentVariables
  livenessPath
  port
  readinessPath
  signedInNameHeader
  sizes
  terminationSeconds
} from 'worker.bicep'

@description('Name of the azd environment.')
param environmentName string

@description('Name of the container app.')
param name string

@description('Azure region.')
param location string = resourceGroup().location

@description('The Container Apps environment.')
param containerEnvironmentName string

@description('The identity of the replicas.')
param identityName string

@description('Its client id, by which the worker asks for it.')
param identityClientId string

@description('Login server of the registry.')
param registryServer string

@description('The image, with registry and tag.')
param imageName string

@description('Host name of the Service Bus namespace.')
param serviceBusHost string

@description('Address of the store\'s tables. Empty: no store.')
param tableEndpoint string

// The parameters below are texts, which settings.bicep explains and checks.

@description('The fewest replicas. One stops the chat when its replica moves; none disconnects everybody. Empty: 2.')
param minReplicas string

@description('The most replicas. Empty: 10.')
param maxReplicas string

@description('vCPU of a replica, 0.25, 0.5, 1 or 2; memory follows. Empty: 0.5.')
param cpu string

@description('The worker\'s own settings by name, see README.md. One that is empty is not set.')
param settings texts

@description('CHAT_SETTINGS, which held the settings as one JSON text. It is refused, so that none is lost silently.')
param formerSettings string = ''

@description('A domain of your own, whose CNAME and asuid TXT records exist already. Empty: none.')
param customDomain string

@description('Client id of the Entra application for sign-in, whose names become nicknames. Empty: no sign-in.')
param signInClientId string

@description('Whether the container app exists already.')
param exists bool

var problems = concat(
  hostProblems(minReplicas, maxReplicas, 100, settings, formerSettings, customDomain, signInClientId),
  choiceProblems('CHAT_CPU', cpu, objectKeys(sizes))
)
var size = empty(cpu) ? '0.5' : cpu
var fewest = whole(minReplicas, 2)
var signIn = !empty(signInClientId)

// Easy Auth takes this name to mean: prove the application's identity by the managed identity, not by a secret. The
// setting holds a client id, which is public.
var assertionSetting = 'override-use-mi-fic-assertion-client-id'

var variables = union(
  environmentVariables,
  {
    AZURE_CLIENT_ID: identityClientId
    AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE: serviceBusHost
    GOMEMLIMIT: sizes[?size].?limit ?? ''
  },
  empty(tableEndpoint) ? {} : { AZURE_STORAGETABLE_RESOURCEENDPOINT: tableEndpoint },
  signIn ? { NICKNAME_HEADER: signedInNameHeader } : {},
  givenSettings(settings)
)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource environment 'Microsoft.App/managedEnvironments@2025-07-01' existing = {
  name: containerEnvironmentName

  resource certificate 'managedCertificates' = if (!empty(customDomain)) {
    name: 'cert-${uniqueString(customDomain)}'
    location: location
    properties: { subjectName: customDomain, domainControlValidation: 'CNAME' }
    dependsOn: [app] // it is issued for a domain the app already answers to, and binds itself
  }
}

resource app 'Microsoft.App/containerApps@2025-07-01' = {
  name: empty(problems) ? name : fail(join(problems, ' '))
  location: location
  tags: { 'azd-env-name': environmentName, 'azd-service-name': 'chat' }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      maxInactiveRevisions: 3
      ingress: {
        external: true
        targetPort: port
        transport: 'auto' // HTTP and WebSocket
        allowInsecure: false
        stickySessions: { affinity: 'sticky' } // long-polling asks the same replica again and again
        customDomains: empty(customDomain) ? [] : [{ name: customDomain, bindingType: 'Auto' }]
      }
      registries: [{ server: registryServer, identity: identity.id }]
      #disable-next-line use-secure-value-for-secure-inputs // a client id is public
      secrets: [{ name: assertionSetting, value: identityClientId }]
    }
    template: {
      terminationGracePeriodSeconds: terminationSeconds
      containers: [
        {
          name: 'chat'
          image: imageName
          env: [for variable in items(variables): { name: variable.key, value: string(variable.value) }]
          resources: { cpu: json(size), memory: sizes[size].memory }
          probes: [
            {
              type: 'Startup'
              httpGet: { path: livenessPath, port: port }
              periodSeconds: 1
              failureThreshold: 60
            }
            {
              type: 'Liveness'
              httpGet: { path: livenessPath, port: port }
              periodSeconds: 10
              timeoutSeconds: 5
              failureThreshold: 3
            }
            {
              type: 'Readiness'
              httpGet: { path: readinessPath, port: port }
              periodSeconds: 5
              timeoutSeconds: 2
              failureThreshold: 3
            }
          ]
        }
      ]
      // The HTTP rule counts requests per second and does not see an open, quiet WebSocket. Sockets use memory, and
      // messages use processor time, so rules for those two stand beside it.
      scale: {
        minReplicas: fewest
        maxReplicas: max(fewest, whole(maxReplicas, 10))
        rules: [
          { name: 'http', http: { metadata: { concurrentRequests: '200' } } }
          { name: 'cpu', custom: { type: 'cpu', metadata: { type: 'Utilization', value: '60' } } }
          { name: 'memory', custom: { type: 'memory', metadata: { type: 'Utilization', value: '75' } } }
        ]
      }
    }
  }

  dependsOn: [authBefore]
}

// Sign-in is on before the worker trusts the header with the name, and off after the worker no longer does. Only an app
// that is new gets both at once, at an address that nobody knows yet.
var signInFirst = signIn && exists

module authBefore 'modules/containerappauth.bicep' = if (signInFirst) {
  params: { appName: name, signInClientId: signInClientId, assertionSetting: assertionSetting }
}

module authAfter 'modules/containerappauth.bicep' = if (!signInFirst) {
  params: { appName: app.name, signInClientId: signInClientId, assertionSetting: assertionSetting }
}

@description('The address of the chat.')
output CHAT_URI string = 'https://${empty(customDomain) ? app.properties.configuration.ingress.fqdn : customDomain}'
