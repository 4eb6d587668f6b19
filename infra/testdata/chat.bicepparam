using '../chat.bicep'

param environmentName = 'chat'
param name = 'ca-chat'
param location = 'koreacentral'
param containerEnvironmentName = 'cae-chat'
param identityName = 'id-chat'
param identityClientId = '00000000-0000-0000-0000-000000000001'
param registryServer = 'crchat.azurecr.io'
param imageName = 'crchat.azurecr.io/chatapp/chat:1'
param serviceBusHost = 'sb-chat.servicebus.windows.net'
param tableEndpoint = 'https://stchat.table.core.windows.net/'
param minReplicas = ''
param maxReplicas = ''
param cpu = ''
param settings = {}
param customDomain = ''
param signInClientId = ''
param exists = false
