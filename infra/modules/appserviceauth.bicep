// Sign-in in front of App Service, on or off. It is deployed in both cases, because Azure Resource Manager never
// removes a resource that a template no longer has.

@description('Name of the site, which exists.')
param siteName string

@description('Client id of the Entra application for sign-in. Empty: anybody may chat.')
param signInClientId string

@description('The site\'s setting that makes sign-in use the managed identity.')
param assertionSetting string

@description('Paths that the platform requests without a sign-in.')
param openPaths string[]

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: siteName
}

resource auth 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: !empty(signInClientId) }
    globalValidation: {
      requireAuthentication: !empty(signInClientId)
      unauthenticatedClientAction: empty(signInClientId) ? 'AllowAnonymous' : 'RedirectToLoginPage'
      redirectToProvider: empty(signInClientId) ? null : 'azureactivedirectory'
      excludedPaths: openPaths
    }
    identityProviders: empty(signInClientId)
      ? {}
      : {
          azureActiveDirectory: {
            enabled: true
            registration: {
              clientId: signInClientId
              clientSecretSettingName: assertionSetting
              openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
            }
          }
        }
  }
}
