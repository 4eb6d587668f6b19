// The second half of appservicedomain.bicep: the domain answers with its certificate.

@description('The site.')
param siteName string

@description('The domain, bound already.')
param domain string

@description('Thumbprint of the domain\'s certificate.')
param thumbprint string

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: siteName
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2024-11-01' = {
  parent: site
  name: domain
  properties: {
    siteName: siteName
    sslState: 'SniEnabled'
    thumbprint: thumbprint
  }
}
