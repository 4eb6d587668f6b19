using '../main.bicep'

param environmentName = 'chat'
param location = 'koreacentral'
param host = 'appservice'
param customDomain = 'chat.example.com'
param signInClientId = '00000000-0000-0000-0000-000000000042'
