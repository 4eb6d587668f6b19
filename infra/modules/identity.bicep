// The one identity of all instances. It is created before the application, so that its roles exist before the first
// pull.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${token}'
  location: location
  tags: tags
}

@description('Name of the identity.')
output name string = identity.name
@description('Client id of the identity.')
output clientId string = identity.properties.clientId
