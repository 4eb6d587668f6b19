using '../main.bicep'

param environmentName = 'chat'
param location = 'koreacentral'
param store = 'none'
