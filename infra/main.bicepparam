using 'main.bicep'

// azd asks for these two.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')

// Set by `azd env set`. An empty text means the default. Not main.parameters.json: there azd would put the texts into
// JSON as they are, so that a quotation mark or a backslash would break it.
param host = readEnvironmentVariable('CHAT_HOST', '')
param appServiceSku = readEnvironmentVariable('APPSERVICE_SKU', '')
param minReplicas = readEnvironmentVariable('CHAT_MIN_REPLICAS', '')
param maxReplicas = readEnvironmentVariable('CHAT_MAX_REPLICAS', '')
param cpu = readEnvironmentVariable('CHAT_CPU', '')
param settings = {
  ALLOWED_ORIGINS: readEnvironmentVariable('CHAT_ALLOWED_ORIGINS', '')
  GOGC: readEnvironmentVariable('CHAT_GOGC', '')
  LOG_LEVEL: readEnvironmentVariable('CHAT_LOG_LEVEL', '')
  MAX_MESSAGE_LENGTH: readEnvironmentVariable('CHAT_MAX_MESSAGE_LENGTH', '')
  MAX_SESSIONS: readEnvironmentVariable('CHAT_MAX_SESSIONS', '')
  MAX_SESSIONS_PER_ADDRESS: readEnvironmentVariable('CHAT_MAX_SESSIONS_PER_ADDRESS', '')
  MESSAGE_RATE: readEnvironmentVariable('CHAT_MESSAGE_RATE', '')
  NAME_HOLD: readEnvironmentVariable('CHAT_NAME_HOLD', '')
  OTEL_EXPORTER_OTLP_ENDPOINT: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_ENDPOINT', '')
  OTEL_EXPORTER_OTLP_HEADERS: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_HEADERS', '')
  OTEL_EXPORTER_OTLP_PROTOCOL: readEnvironmentVariable('CHAT_OTEL_EXPORTER_OTLP_PROTOCOL', '')
  PING_INTERVAL: readEnvironmentVariable('CHAT_PING_INTERVAL', '')
  PING_TIMEOUT: readEnvironmentVariable('CHAT_PING_TIMEOUT', '')
  SOCKETIO_V2_CLIENTS: readEnvironmentVariable('CHAT_SOCKETIO_V2_CLIENTS', '')
}
param serviceBusSku = readEnvironmentVariable('SERVICEBUS_SKU', '')
param messagingUnits = readEnvironmentVariable('SERVICEBUS_UNITS', '')
param privateNetworking = readEnvironmentVariable('PRIVATE_NETWORKING', '')
param zoneRedundant = readEnvironmentVariable('ZONE_REDUNDANT', '')
param customDomain = readEnvironmentVariable('CUSTOM_DOMAIN', '')
param signInClientId = readEnvironmentVariable('SIGN_IN_CLIENT_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param monthlyBudget = readEnvironmentVariable('MONTHLY_BUDGET', '')
param budgetStart = readEnvironmentVariable('BUDGET_START', '')
param logDailyCapGb = readEnvironmentVariable('LOG_DAILY_CAP_GB', '')
param formerSettings = readEnvironmentVariable('CHAT_SETTINGS', '')
