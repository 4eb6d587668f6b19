// Sign-in in front of the container app, on or off. It is deployed in both cases, because Azure Resource Manager never
// removes a resource that a template no longer has.

@description('Name of the container app, which exists.')
param appName string

@description('Client id of the Entra application for sign-in. Empty: anybody may chat.')
param signInClientId string

@description('The app\'s secret that makes sign-in use the managed identity.')
param assertionSetting string

resource app 'Microsoft.App/containerApps@2025-07-01' existing = {
  name: appName
}

resource auth 'Microsoft.App/containerApps/authConfigs@2025-07-01' = {
  parent: app
  name: 'current'
  properties: {
    platform: { enabled: !empty(signInClientId) }
    globalValidation: {
      unauthenticatedClientAction: empty(signInClientId) ? 'AllowAnonymous' : 'RedirectToLoginPage'
      redirectToProvider: empty(signInClientId) ? null : 'azureactivedirectory'
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
