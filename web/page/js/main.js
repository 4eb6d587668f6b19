// Puts the page together: connection, state and views.

import { byId, setProperty } from './dom.js'
import { state, changed, lobby } from './state.js'
import { now } from './clock.js'
import { tab } from './storage.js'
import { isBoolean, isStrings } from './shapes.js'
import { hashOfRoom, placeOfHash } from './address.js'
import { openCarrier } from './carrier.js'
import { createConnection } from './connection.js'
import { createOutbox } from './outbox.js'
import { createActions } from './actions.js'
import { createEvents } from './events.js'
import { addLine, roomNamed, withdrawAll } from './rooms.js'
import { saveRead } from './reading.js'
import { settings } from './settings.js'
import { predecessorCount } from './ended.js'
import { resetClock } from './timings.js'
import { createTabs, openChannel } from './tabs.js'
import { createTrouble, reachServer } from './trouble.js'
import { applySettings } from './view/appearance.js'
import { createBanner } from './view/banner.js'
import { createCompletion } from './view/completion.js'
import { createComposer } from './view/composer.js'
import { createConversation } from './view/conversation.js'
import { createDiagnostics } from './view/diagnostics.js'
import { createLeave } from './view/leave.js'
import { createNicknameDialog } from './view/nickname-dialog.js'
import { createNotifications } from './view/notifications.js'
import { createRoomHeader } from './view/room-header.js'
import { createSearch } from './view/search.js'
import { createSettings } from './view/settings.js'
import { createShortcuts } from './view/shortcuts.js'
import { createSidebar } from './view/sidebar.js'

const workerAfter = 8000 // ms

/** @import { Loss } from './connection.js' */
/** @import { Line } from './rooms.js' */
/** @import { Link } from './state.js' */

const connection = createConnection({
  openCarrier: (attempt) => openCarrier(new URL('socket.io/', document.baseURI), attempt % 2 === 1),
  // After a reload the page has no lines, so it names no offset from which it wants them.
  connectPayload: () => ({
    ...(state.me.token && { token: state.me.token }),
    ...(state.me.token && state.offset && { offset: state.offset }),
  }),
  onEvent: (name, args) => receive(name, args),
  onPhase: changePhase,
  probe: 'status',
})

addEventListener('online', wake)
addEventListener('pageshow', wake)
document.addEventListener('visibilitychange', wake)
addEventListener('offline', connection.check)
setInterval(connection.checkIdle, connection.idleCheckEvery)

function wake() {
  if (!document.hidden) connection.wake()
}

const outbox = createOutbox(connection, (cid) => {
  if (state.me.token) tabs.tellSent({ token: state.me.token, cid })
})
const trouble = createTrouble({ reach: reachServer })
const tabs = createTabs({
  channel: openChannel('chatapp ' + location.pathname), locks: navigator.locks,
  inUse: () => {
    const { name, token } = state.me
    const joined = [...state.rooms.values()].filter((room) => room.joined).map((room) => room.name)
    const isInUse = name && token && state.link.phase !== 'replaced'
    return isInUse ? { name, token, rooms: joined, cids: outbox.owned() } : undefined
  },
  onSent: ({ token, cid }) => { if (token === state.me.token) outbox.own([cid]) },
})

/**
 * Makes a line of one in the server's history.
 *
 * @param {Line} line
 */
function toLine(line) {
  const sentHere = line.cid !== undefined && outbox.markDelivered(line.cid)
  return { ...line, own: sentHere && line.from === (state.me.name || state.me.requestedName) }
}

/** @param {string} room */
const goTo = (room) => { location.hash = hashOfRoom(room) }

const actions = createActions({
  connection, outbox, toLine,
  navigation: { go: goTo, replace: (room) => history.replaceState(null, '', hashOfRoom(room)) },
})

applySettings()
const app = byId('app', HTMLElement)
const message = byId('message', HTMLTextAreaElement)
const scroller = byId('lines', HTMLElement)
const roomList = byId('rooms', HTMLElement)

createCompletion({ field: message, list: byId('offers', HTMLElement) })
const composer = createComposer({
  form: byId('composer', HTMLFormElement), field: message,
  label: byId('message-label', HTMLElement),
  counter: byId('counter', HTMLElement), hint: byId('hint', HTMLElement),
  button: byId('send', HTMLButtonElement),
  goTo, actions,
})
const { notifyMessage, announce } = createNotifications({
  announcer: byId('announcer', HTMLElement), typing: byId('typing', HTMLElement), goTo,
})
const receive = createEvents({ actions, outbox, toLine, onMessage: notifyMessage })

for (const name of tab.read('rooms', [], isStrings)) roomNamed(name)
roomNamed(lobby)
addEventListener('hashchange', showAddressedPlace)
showAddressedPlace()
addEventListener('pagehide', saveRead)
addEventListener('storage', actions.followLeave)
addEventListener('pageshow', actions.followLeave) // no page that Back brings back has heard of it

const nicknameDialog = createNicknameDialog({
  card: byId('naming', HTMLElement), form: byId('set-nickname', HTMLFormElement),
  field: byId('nick', HTMLInputElement),
  error: byId('nickname-err', HTMLElement), cancel: byId('nick-cancel', HTMLButtonElement),
  submitButton: byId('nick-go', HTMLButtonElement), status: byId('naming-state', HTMLElement),
  place: byId('naming-place', HTMLElement), elsewhere: byId('elsewhere', HTMLElement),
  goOn: byId('go-on', HTMLElement), app, message, reload: () => location.reload(), actions,
})
createSettings({
  languageButtons: byId('languages', HTMLElement), languages: byId('language', HTMLSelectElement),
  theme: byId('theme', HTMLSelectElement), notify: byId('notify', HTMLInputElement),
  coming: byId('coming', HTMLInputElement), spoken: byId('spoken', HTMLInputElement),
  note: byId('notify-note', HTMLElement), rename: byId('rename', HTMLElement), nicknameDialog,
})
createLeave({
  leave: byId('leave', HTMLElement), question: byId('leave-question', HTMLElement),
  confirm: byId('leave-confirm', HTMLElement), cancel: byId('leave-cancel', HTMLElement), actions,
})
const sidebar = createSidebar({
  side: byId('side', HTMLElement), rooms: roomList, people: byId('people', HTMLElement),
  count: byId('people-count', HTMLElement), visit: byId('visit', HTMLFormElement),
  visitField: byId('visit-name', HTMLInputElement), open: byId('open-side', HTMLElement),
  close: byId('close-side', HTMLElement), message, goTo, actions,
})
const openDiagnostics = byId('open-behind', HTMLElement)
const diagnostics = createDiagnostics({
  panel: byId('behind', HTMLElement), button: openDiagnostics, actions,
})
createRoomHeader({
  title: byId('title', HTMLElement), subtitle: byId('subtitle', HTMLElement),
  copy: byId('copy', HTMLElement),
  leaveRoom: byId('leave-room', HTMLElement), openDiagnostics,
  instance: byId('instance', HTMLElement),
  latency: byId('latency', HTMLElement), pulse: byId('pulse', HTMLElement),
  sideMark: byId('side-mark', HTMLElement),
  announce, actions,
})
createBanner({
  banner: byId('banner', HTMLElement), text: byId('banner-text', HTMLElement),
  action: byId('banner-action', HTMLButtonElement), announce, actions,
})
createConversation({
  scroller, jump: byId('jump', HTMLElement), message, actions, edit: composer.editUnsent, announce,
})
const search = createSearch({
  panel: byId('search', HTMLElement), open: byId('open-search', HTMLElement),
  close: byId('close-search', HTMLElement),
  form: byId('search-form', HTMLFormElement), field: byId('search-text', HTMLInputElement),
  everywhere: byId('search-all', HTMLInputElement), results: byId('found', HTMLElement),
  status: byId('search-status', HTMLElement), more: byId('search-more', HTMLElement), actions,
})
createShortcuts({
  sidebar, diagnostics, search, nicknameDialog, message, scroller, rooms: roomList,
})

// Some browsers do not shrink the page when a phone's keyboard opens: the app takes the height that
// is left.
globalThis.visualViewport?.addEventListener('resize', () => {
  const viewport = globalThis.visualViewport
  if (!viewport || viewport.scale !== 1) return
  setProperty(document.documentElement, '--height', viewport.height + 'px')
  scrollTo(0, 0) // some scroll the page up instead, header included
})

setInterval(actions.refreshDirectory, 30000)

keepShell()

// For the console, and for tests.
Object.assign(globalThis, { chatapp: { state, changed, roomNamed, addLine, createEvents } })

// The style sheet hides the page until its texts and colours are those of the reader.
document.documentElement.dataset.ready = ''
if (settings.isEmbedded) parent.postMessage({ chatRoom: 'ready' }, '*') // <chat-room> listens
start()

/**
 * Shows the room, and the message, that the address names. Back does not return to a room that was
 * left, nor to one of somebody who has left the chat.
 */
function showAddressedPlace() {
  const { room, line } = placeOfHash(location.hash)
  const seen = predecessorCount()
  const seenBy = history.state?.seen // not undefined: Back, Forward or a reload leads here
  const isOfAnother = typeof seenBy === 'number' && seenBy !== seen
  const wasLeft = isOfAnother || seenBy !== undefined && state.leftRooms.has(room)
  if (wasLeft) history.replaceState({ seen }, '', hashOfRoom(lobby))
  else history.replaceState({ seen }, '')
  actions.showRoom(wasLeft ? lobby : room)
  state.wantedLine = line && !wasLeft ? { room, id: line } : null
  if (line) changed('lines')
}

/**
 * Has a service worker keep what the page needs to start. It can wait until the page has settled.
 */
function keepShell() {
  if (settings.isEmbedded || !globalThis.isSecureContext || !('serviceWorker' in navigator)) return
  /** @typedef {{ createScriptURL: (url: string) => string }} Policy */
  /** @type {{ createPolicy: (name: string, rules: object) => Policy }} */
  const types = Reflect.get(globalThis, 'trustedTypes')
  const policy = types?.createPolicy('worker',
    { createScriptURL: () => new URL('sw.js', document.baseURI).href })
  setTimeout(() => {
    navigator.serviceWorker.register(policy?.createScriptURL('') ?? 'sw.js').catch(console.warn)
  }, workerAfter)
}

/**
 * Connects, unless this tab is a copy of another one in which its user chats: they would take the
 * chat from each other. A page that was left in the same tab has said so.
 */
async function start() {
  const wasLeft = tab.read('left', false, isBoolean)
  tab.write('left', undefined)
  addEventListener('pagehide', () => tab.write('left', true))
  addEventListener('pageshow', () => tab.write('left', undefined))
  const { token } = state.me
  if (wasLeft || !token) connection.open()
  if (wasLeft) return
  const elsewhere = await tabs.find()
  if (!token) {
    if (elsewhere && !state.me.requestedName) {
      state.elsewhere = elsewhere
      changed('nickname')
    }
  } else if (elsewhere?.token === token) {
    state.link.phase = 'replaced'
    changed('link')
  } else connection.open()
}

/**
 * @param {Link['phase']} phase
 * @param {Partial<Loss>} [loss]
 */
function changePhase(phase, loss = {}) {
  const { link } = state
  if (phase === 'waiting' && link.phase === 'online') {
    link.downSince = loss.since ?? now()
    link.quiet = true
  } else if (phase === 'waiting') link.quiet = false
  if (phase === 'online') {
    link.wasOnline = true
    link.replaced = false
    withdrawAll()
    resetClock()
    trouble.connected()
  } else if (phase === 'waiting') trouble.failed()
  link.phase = phase === 'closed' && link.replaced ? 'replaced' : phase
  link.retryAt = loss.retryAt ?? 0
  changed('link', 'outbox')
}
