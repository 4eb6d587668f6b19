using '../main.bicep'

param environmentName = 'chat'
param location = 'koreacentral'
param host = 'appservice'
param settings = { MESSAGE_RATE: '10', NAME_HOLD: '', PAGE_TITLE: '찻집', EMBED_ORIGINS: 'https://example.com' }
