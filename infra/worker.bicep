// The contract between the worker and its host. Both hosts import it, and infra_test.go checks the worker's
// configuration, routes and drain against it.

@export()
@description('The TCP port the worker serves, and the port the ingress sends to.')
var port = 8080

@export()
@description('The topic that joins the instances.')
var topicName = 'chat'

@export()
@description('The table that keeps the log and the history.')
var tableName = 'chat'

@export()
@description('Answers 200 while the process works, whatever the state of Service Bus: a restart would not repair that.')
var livenessPath = '/healthz'

@export()
@description('Answers 200 while the instance is a member of the cluster and in sync with it.')
var readinessPath = '/readyz'

@export()
@description('Seconds from SIGTERM to SIGKILL: DRAIN_TIMEOUT, the last flush, the leave entry, the clean-up.')
var terminationSeconds = 60

@export()
@description('Seconds a start may take. A role assignment can need five minutes to act, and the worker waits for it.')
var startSeconds = 600

@export()
@description('The header in which the platform\'s sign-in passes the user\'s name. Clients can\'t send it.')
var signedInNameHeader = 'X-MS-CLIENT-PRINCIPAL-NAME'

@export()
@description('Settings of every worker. Only the platform\'s proxies, at private addresses, reach a container.')
var environmentVariables = {
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
  DRAIN_TIMEOUT: '20s'
  LOG_FORMAT: 'json'
  METRICS_LOG_INTERVAL: '1m'
  PORT: '${port}'
  SERVICEBUS_TOPIC: topicName
  TRUSTED_PROXIES: '10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10'
}

@export()
@description('Container Apps sells vCPU and memory in fixed pairs. The limit, 90 % of the memory, is GOMEMLIMIT.')
var sizes = {
  '0.25': { memory: '0.5Gi', limit: '460MiB' }
  '0.5': { memory: '1Gi', limit: '920MiB' }
  '1': { memory: '2Gi', limit: '1840MiB' }
  '2': { memory: '4Gi', limit: '3680MiB' }
}
