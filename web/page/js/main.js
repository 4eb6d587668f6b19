// Where the page is put together: connection, state and views.

import { byId } from './dom.js'
import { state, changed, lobby } from './state.js'
import { tab } from './storage.js'
import { createConnection } from './connection.js'
import { createOutbox } from './outbox.js'
import { createActions, addressOfRoom, roomOfAddress } from './actions.js'
import { createEvents } from './events.js'
import { roomNamed } from './rooms.js'
import { createAlerts } from './view/alerts.js'
import { createBanner } from './view/banner.js'
import { createBar } from './view/bar.js'
import { createBehind } from './view/behind.js'
import { createComposer } from './view/composer.js'
import { createKeyboard } from './view/keyboard.js'
import { createLines } from './view/lines.js'
import { createNaming } from './view/naming.js'
import { createSettings } from './view/settings.js'
import { createSide } from './view/side.js'

const connection = createConnection({
  url: new URL('/ws?connect', location.href).href.replace(/^http/, 'ws'),
  // After a reload the page has no lines, so it names no place in the log from which on it wants them.
  hello: () => ({ ...(state.me.token && { token: state.me.token }), ...(state.me.token && state.offset && { offset: state.offset }) }),
  event: (name, args) => receive(name, args),
  phase: changePhase,
  probe: 'status',
})

const outbox = createOutbox(connection)

// toLine makes a line of one in the server's history.
function toLine(line) {
  const settled = line.cid !== undefined && outbox.settle(line.cid)
  return { ...line, own: settled && line.from === (state.me.name || state.me.wish) }
}

const actions = createActions(connection, outbox, toLine)
const app = byId('app')
const scroller = byId('lines')
const message = byId('message')

const composer = createComposer({ form: byId('composer'), field: message, label: byId('message-label'), counter: byId('counter'), button: byId('send'), actions })
actions.takeBack = (cid) => composer.giveBack(actions.discard(cid))

const alerts = createAlerts({
  announcer: byId('announcer'),
  typing: byId('typing'),
  goTo: (name) => { location.hash = addressOfRoom(name) },
})
const receive = createEvents({ actions, outbox, toLine, heard: alerts.heard })

for (const name of tab.read('rooms', [])) roomNamed(name)
roomNamed(lobby)
addEventListener('hashchange', () => actions.show(roomOfAddress()))
actions.show(roomOfAddress())

const naming = createNaming({
  card: byId('naming'), form: byId('set-nickname'), field: byId('nick'), error: byId('nickname-err'), cancel: byId('nick-cancel'), go: byId('nick-go'),
  status: byId('naming-state'), app, message, actions,
})
createSettings({
  languages: document.querySelectorAll('[data-language]'), choice: byId('language'), theme: byId('theme'), notify: byId('notify'), note: byId('notify-note'),
  rename: byId('rename'), leave: byId('leave'), naming, actions,
})
const side = createSide({ side: byId('side'), rooms: byId('rooms'), people: byId('people'), count: byId('people-count'), visit: byId('visit'), open: byId('open-side'), close: byId('close-side'), actions })
const behind = createBehind({ panel: byId('behind'), button: byId('open-behind'), actions })
createBar({
  title: byId('title'), subtitle: byId('subtitle'), copy: byId('copy'), leaveRoom: byId('leave-room'), openBehind: byId('open-behind'), instance: byId('instance'),
  latency: byId('latency'), pulse: byId('pulse'), sideMark: byId('side-mark'), announce: alerts.announce, actions,
})
createBanner({ banner: byId('banner'), text: byId('banner-text'), action: byId('banner-action'), announce: alerts.announce, actions })
createLines({ scroller, jump: byId('jump'), actions })
createKeyboard({ side, behind, naming, message, scroller, rooms: byId('rooms') })

// A phone's keyboard covers the page where the browser doesn't shrink it: the app takes the height that is left.
globalThis.visualViewport?.addEventListener('resize', () => {
  if (visualViewport.scale !== 1) return
  document.documentElement.style.setProperty('--height', visualViewport.height + 'px')
  scrollTo(0, 0) // some move the page up instead, header and all
})

setInterval(actions.refreshDirectory, 30000)

// What stands in the document is in English, and may not be what is to be seen: it shows from here on.
document.documentElement.dataset.ready = ''
connection.open()

function changePhase(phase, detail = {}) {
  const { link } = state
  const goingAway = 1001 // RFC 6455 section 7.4.1: the server says that it goes, as when it is replaced by another
  if (phase === 'waiting' && link.phase === 'online') {
    link.downSince = detail.since
    link.quiet = detail.code === goingAway
  }
  if (phase === 'online') {
    link.ever = true
    link.replaced = false
  }
  link.phase = phase === 'closed' && link.replaced ? 'replaced' : phase
  link.retryAt = detail.retryAt ?? 0
  changed('link', 'outbox')
}
