using '../main.bicep'

param environmentName = 'chat'
param location = 'koreacentral'
param zoneRedundant = 'TRUE'
param minReplicas = '3'
