// Where azd builds and keeps the image, and the right to pull it. No administrator account, no password.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@minLength(3) // of the five letters that a registry's name needs
@description('Suffix that makes names unique.')
param token string

@description('The identity that pulls images.')
param identityName string

var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

// Open to public networks also with private networking: ACR's own build agents must reach it.
resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${token}'
  location: location
  tags: tags
  sku: { name: 'Basic' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, acrPull)
  scope: registry
  properties: {
    description: 'The instances pull their image.'
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal' // known to exist: no wait for the directory to learn of the new identity
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
  }
}

@description('Host name of the registry.')
output loginServer string = registry.properties.loginServer
