// A virtual network for the instances, and a place in it for private endpoints.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

@description('The service that puts the instances into the network.')
@allowed(['Microsoft.App/environments', 'Microsoft.Web/serverFarms'])
param delegation string

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.90.0.0/22'] }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: '10.90.0.0/23'
          delegations: [{ name: 'host', properties: { serviceName: delegation } }]
        }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: '10.90.2.0/27' }
      }
    ]
  }

  resource apps 'subnets' existing = {
    name: 'apps'
  }
}

@description('Name of the virtual network.')
output name string = network.name
@description('The subnet of the instances.')
output appSubnetId string = network::apps.id
