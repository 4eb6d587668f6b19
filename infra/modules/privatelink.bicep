// Private addresses for the Service Bus namespace and the store, and the DNS zones that make their public names mean
// those addresses.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('Suffix that makes names unique.')
param token string

@description('The virtual network of the instances.')
param networkName string

@description('The namespace to reach.')
param serviceBusName string

@description('Whether there is a store to reach.')
param stored bool

@description('Its storage account.')
param storageName string

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusName
}

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' existing = {
  name: networkName

  resource endpoints 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  #disable-next-line no-hardcoded-env-urls // the zone's name is a constant of Azure's public cloud
  name: 'privatelink.servicebus.windows.net'
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: networkName
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-07-01' = {
  name: 'pe-${token}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::endpoints.id }
    privateLinkServiceConnections: [
      {
        name: 'servicebus'
        properties: { privateLinkServiceId: namespace.id, groupIds: ['namespace'] }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: 'servicebus', properties: { privateDnsZoneId: zone.id } }]
    }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = if (stored) {
  name: storageName
}

resource tableZone 'Microsoft.Network/privateDnsZones@2024-06-01' = if (stored) {
  #disable-next-line no-hardcoded-env-urls // the zone's name is a constant of Azure's public cloud
  name: 'privatelink.table.core.windows.net'
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: networkName
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
}

resource tableEndpoint 'Microsoft.Network/privateEndpoints@2025-07-01' = if (stored) {
  name: 'pe-table-${token}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::endpoints.id }
    privateLinkServiceConnections: [
      {
        name: 'table'
        properties: { privateLinkServiceId: account.id, groupIds: ['table'] }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: 'table', properties: { privateDnsZoneId: tableZone.id } }]
    }
  }
}
