// The settings of `azd env set`. They arrive as texts, and an empty text means the default. A wrong value stops the
// deployment before it changes anything, with a sentence that names the setting.

@export()
@description('Texts by name.')
type texts = {
  @description('A text. An empty one is as good as none.')
  *: string
}

@export()
@description('Tags of every resource. azd finds an environment\'s resources by them.')
type resourceTags = {
  @description('Name of the azd environment.')
  'azd-env-name': string
}

@export()
@description('The worker\'s own settings. The azd environment has them with the prefix CHAT_.')
var workerSettings = [
  'ALLOWED_ORIGINS'
  'BYTE_RATE_PER_ADDRESS'
  'CONNECT_RATE_PER_ADDRESS'
  'EMBED_ORIGINS'
  'GOGC'
  'HISTORY_LINES'
  'HISTORY_MEMORY'
  'HISTORY_RETENTION'
  'HTTP_RATE_PER_ADDRESS'
  'LOG_LEVEL'
  'MAX_CONNECTIONS'
  'MAX_CONNECTIONS_PER_ADDRESS'
  'MAX_MESSAGE_BYTES'
  'MAX_MESSAGE_LENGTH'
  'MAX_ROOMS'
  'MAX_SESSIONS'
  'MAX_SESSIONS_PER_ADDRESS'
  'MESSAGE_RATE'
  'MESSAGE_RATE_PER_ADDRESS'
  'NAME_HOLD'
  'OTEL_EXPORTER_OTLP_ENDPOINT'
  'OTEL_EXPORTER_OTLP_HEADERS'
  'OTEL_EXPORTER_OTLP_PROTOCOL'
  'PAGE_ACCENT'
  'PAGE_LANGUAGES'
  'PAGE_LOGO'
  'PAGE_PARTS'
  'PAGE_ROOM'
  'PAGE_TITLE'
  'PING_INTERVAL'
  'PING_TIMEOUT'
  'QUEUE_MEMORY'
  'REFUSAL_RATE_PER_ADDRESS'
  'REQUEST_RATE_PER_ADDRESS'
  'RESPONSE_TIMEOUT'
  'ROOM_RATE_PER_ADDRESS'
  'SOCKETIO_V2_CLIENTS'
]

@export()
@description('Sizes of an App Service plan that have autoscale, 30 instances and no limit of sockets.')
var planSizes = [
  'P0v3'
  'P1v3'
  'P2v3'
  'P3v3'
  'P1mv3'
  'P2mv3'
  'P3mv3'
  'P4mv3'
  'P5mv3'
  'P0v4'
  'P1v4'
  'P2v4'
  'P3v4'
  'P1mv4'
  'P2mv4'
  'P3mv4'
  'P4mv4'
  'P5mv4'
]

func onlyHas(text string, allowed string) bool =>
  empty(filter(map(range(0, length(text)), i => substring(text, i, 1)), letter => !contains(allowed, letter)))

func isWhole(text string) bool => !empty(text) && length(text) <= 9 && onlyHas(text, '0123456789')

@export()
@description('The number that a text means, or the default where it means none.')
func whole(text string, default int) int => isWhole(text) ? int(text) : default

@export()
@description('Whether a text is "true", in any letter case.')
func isTrue(text string) bool => toLower(text) == 'true'

@export()
@description('Settings of the worker that are not empty, as texts.')
func givenSettings(settings texts) texts =>
  toObject(filter(items(settings), one => !empty(one.value)), one => one.key, one => one.value)

@export()
@description('What is wrong with a switch.')
func switchProblems(name string, text string) string[] =>
  contains(['', 'true', 'false'], toLower(text)) ? [] : ['${name} takes true or false, not "${text}".']

@export()
@description('What is wrong with a whole number.')
func wholeProblems(name string, text string, least int, most int) string[] =>
  empty(text) || (isWhole(text) && whole(text, least) >= least && whole(text, least) <= most)
    ? []
    : ['${name} takes a whole number from ${least} to ${most}, not "${text}".']

@export()
@description('What is wrong with a choice.')
func choiceProblems(name string, text string, choices string[]) string[] =>
  empty(text) || contains(choices, text) ? [] : ['${name} takes ${join(choices, ', ')}, not "${text}".']

@export()
@description('What is wrong with a domain name.')
func domainProblems(name string, text string) string[] =>
  empty(text) || (onlyHas(text, 'abcdefghijklmnopqrstuvwxyz0123456789-.') && length(split(text, '.')) > 1 && !contains(
      split(text, '.'),
      ''
    ))
    ? []
    : ['${name} takes a domain name in lower case such as chat.example.com, not "${text}".']

@export()
@description('What is wrong with a client id.')
func idProblems(name string, text string) string[] =>
  empty(text) || (length(text) == 36 && length(split(text, '-')) == 5 && onlyHas(toLower(text), '0123456789abcdef-'))
    ? []
    : ['${name} takes a client id such as 00000000-0000-0000-0000-000000000000, not "${text}".']

@export()
@description('What is wrong with a mail address.')
func mailProblems(name string, text string) string[] =>
  empty(text) || (length(split(text, '@')) == 2 && !startsWith(text, '@') && !contains(text, ' ') && contains(
      last(split(text, '@')),
      '.'
    ))
    ? []
    : ['${name} takes a mail address, not "${text}".']

@export()
@description('What is wrong with the first day of a month.')
func monthProblems(name string, text string) string[] =>
  empty(text) || (length(text) == 10 && endsWith(text, '-01') && length(split(text, '-')) == 3 && onlyHas(
      text,
      '0123456789-'
    ) && length(split(text, '-')[0]) == 4 && contains(
      ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12'],
      split('${text}--', '-')[1]
    ))
    ? []
    : ['${name} takes the first day of a month such as 2026-11-01, not "${text}".']

@export()
@description('What is wrong with the worker\'s own settings: those that the hosts rely on can\'t be changed.')
func workerProblems(settings texts, formerSettings string) string[] =>
  concat(
    map(
      filter(items(settings), one => !contains(workerSettings, one.key)),
      one => 'settings has ${one.key}; it takes ${join(workerSettings, ', ')}.'
    ),
    contains(['', '{}'], formerSettings)
      ? []
      : [
          'CHAT_SETTINGS is no longer read: set a variable for each, such as CHAT_MESSAGE_RATE, and CHAT_SETTINGS to {}.'
        ]
  )

@export()
@description('What is wrong with the settings of Container Apps and App Service alike.')
func hostProblems(
  minReplicas string,
  maxReplicas string,
  most int,
  settings texts,
  formerSettings string,
  customDomain string,
  signInClientId string
) string[] =>
  concat(
    wholeProblems('CHAT_MIN_REPLICAS', minReplicas, 1, most),
    wholeProblems('CHAT_MAX_REPLICAS', maxReplicas, 1, most),
    workerProblems(settings, formerSettings),
    domainProblems('CUSTOM_DOMAIN', customDomain),
    idProblems('SIGN_IN_CLIENT_ID', signInClientId)
  )
