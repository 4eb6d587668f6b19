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
param minReplicas = '12'
param maxReplicas = ''
param cpu = '2'
param settings = { MESSAGE_RATE: '10', NAME_HOLD: '', PAGE_TITLE: '찻집', EMBED_ORIGINS: 'https://example.com' }
param customDomain = 'chat.example.com'
param signInClientId = '00000000-0000-0000-0000-000000000042'
param exists = true
