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
// azd sets the first variable when it provisions, and the second when it deploys.
var provisioned = readEnvironmentVariable('SERVICE_CHAT_RESOURCE_EXISTS', 'false') == 'true'
var address = readEnvironmentVariable('CHAT_URI', '')
param exists = provisioned || !empty(address)

// Set by `azd env set`. An empty text means the default.
param minReplicas = readEnvironmentVariable('CHAT_MIN_REPLICAS', '')
param maxReplicas = readEnvironmentVariable('CHAT_MAX_REPLICAS', '')
param cpu = readEnvironmentVariable('CHAT_CPU', '')
param settings = {
  ALLOWED_ORIGINS: readEnvironmentVariable('CHAT_ALLOWED_ORIGINS', '')
  BYTE_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_BYTE_RATE_PER_ADDRESS', '')
  CONNECT_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_CONNECT_RATE_PER_ADDRESS', '')
  GOGC: readEnvironmentVariable('CHAT_GOGC', '')
  HTTP_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_HTTP_RATE_PER_ADDRESS', '')
  LOG_LEVEL: readEnvironmentVariable('CHAT_LOG_LEVEL', '')
  MAX_MESSAGE_BYTES: readEnvironmentVariable('CHAT_MAX_MESSAGE_BYTES', '')
  MAX_MESSAGE_LENGTH: readEnvironmentVariable('CHAT_MAX_MESSAGE_LENGTH', '')
  MAX_SESSIONS: readEnvironmentVariable('CHAT_MAX_SESSIONS', '')
  MAX_SESSIONS_PER_ADDRESS: readEnvironmentVariable('CHAT_MAX_SESSIONS_PER_ADDRESS', '')
  MESSAGE_RATE: readEnvironmentVariable('CHAT_MESSAGE_RATE', '')
  MESSAGE_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_MESSAGE_RATE_PER_ADDRESS', '')
  NAME_HOLD: readEnvironmentVariable('CHAT_NAME_HOLD', '')
  OTEL_EXPORTER_OTLP_ENDPOINT: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_ENDPOINT', '')
  OTEL_EXPORTER_OTLP_HEADERS: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_HEADERS', '')
  OTEL_EXPORTER_OTLP_PROTOCOL: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_PROTOCOL', '')
  PING_INTERVAL: readEnvironmentVariable('CHAT_PING_INTERVAL', '')
  PING_TIMEOUT: readEnvironmentVariable('CHAT_PING_TIMEOUT', '')
  REFUSAL_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_REFUSAL_RATE_PER_ADDRESS', '')
  REQUEST_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_REQUEST_RATE_PER_ADDRESS', '')
  ROOM_RATE_PER_ADDRESS: readEnvironmentVariable('CHAT_ROOM_RATE_PER_ADDRESS', '')
  SOCKETIO_V2_CLIENTS: readEnvironmentVariable('CHAT_SOCKETIO_V2_CLIENTS', '')
}
param formerSettings = readEnvironmentVariable('CHAT_SETTINGS', '')
param customDomain = readEnvironmentVariable('CUSTOM_DOMAIN', '')
param signInClientId = readEnvironmentVariable('SIGN_IN_CLIENT_ID', '')
