// A domain of your own on App Service: bound, certified by App Service, and bound again with the certificate.

import { resourceTags } from '../settings.bicep'

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags resourceTags

@description('The site.')
param siteName string

@description('The plan the site runs on.')
param planId string

@description('The domain; its CNAME and asuid TXT records exist already.')
param domain string

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: siteName

  // App Service issues a certificate only for a bound domain.
  resource binding 'hostNameBindings' = {
    name: domain
    properties: {
      siteName: siteName
      customHostNameDnsRecordType: 'CName'
      hostNameType: 'Verified'
    }
  }
}

resource certificate 'Microsoft.Web/certificates@2024-11-01' = {
  name: 'cert-${uniqueString(domain)}'
  location: location
  tags: tags
  properties: { canonicalName: domain, serverFarmId: planId }
  dependsOn: [site::binding]
}

// A file can't declare a resource twice, so the second declaration is a module.
module secure 'appservicetls.bicep' = {
  params: { siteName: siteName, domain: domain, thumbprint: certificate.properties.thumbprint }
}
