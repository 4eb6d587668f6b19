using 'chat.bicep'

// Set by azd, and by the outputs of main.bicep.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param name = readEnvironmentVariable('CHAT_APP_NAME')
param containerEnvironmentName = readEnvironmentVariable('AZURE_CONTAINER_APPS_ENVIRONMENT_NAME')
param identityName = readEnvironmentVariable('CHAT_IDENTITY_NAME')
param identityClientId = readEnvironmentVariable('CHAT_IDENTITY_CLIENT_ID')
param registryServer = readEnvironmentVariable('AZURE_CONTAINER_REGISTRY_ENDPOINT')
param imageName = readEnvironmentVariable('SERVICE_CHAT_IMAGE_NAME')
param serviceBusHost = readEnvironmentVariable('AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE')

// Set by `azd env set`.
param minReplicas = int(readEnvironmentVariable('CHAT_MIN_REPLICAS', '2'))
param maxReplicas = int(readEnvironmentVariable('CHAT_MAX_REPLICAS', '10'))
param cpu = readEnvironmentVariable('CHAT_CPU', '0.5')
param settings = json(readEnvironmentVariable('CHAT_SETTINGS', '{}'))
param customDomain = readEnvironmentVariable('CUSTOM_DOMAIN', '')
param signInClientId = readEnvironmentVariable('SIGN_IN_CLIENT_ID', '')
