// Notifies users who do not look at the conversation: by texts for screen readers, a count in the
// title of a hidden tab, and the system's notifications.

import { h } from '../dom.js'
import { settings } from '../settings.js'
import { state, watch, changed, lobby } from '../state.js'
import { addUnread, clearMarker } from '../reading.js'
import { onIdentityEnd } from '../identity.js'
import { pieces, t } from '../i18n.js'
import { nodesOf } from './line.js'

/** @import { Piece } from '../i18n.js' */
/** @import { Line, Room } from '../rooms.js' */

const coalesceFor = 400 // ms in which messages are read out together
const longestReadOut = 500 // characters of a message
const mostReadOut = 3 // messages at once; of more only the number is read out
const mostTypists = 3 // named at once
// ms after which a text is removed, so that a reader does not come upon it later
const announcedFor = 4000

/**
 * @param {object} options
 * @param {HTMLElement} options.announcer read out by screen readers when it changes
 * @param {HTMLElement} options.typing
 * @param {(room: string) => void} options.goTo
 */
export function createNotifications({ announcer, typing, goTo }) {
  let unseen = 0 // messages since the tab was hidden
  /** @type {Set<Notification>} */
  const shown = new Set() // by the system
  /** @type {{ room: Room, line: Line, isShown: boolean }[]} */
  let waiting = [] // messages to be read out
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let clearing

  /**
   * Notifies the user of a new message by somebody else.
   *
   * @param {Room} room
   * @param {Line} line
   */
  function notifyMessage(room, line) {
    const isShown = room.name === state.room
    if (document.hidden) unseen++
    if (!isShown || document.hidden) {
      addUnread(room, line)
    }
    if (state.settings.spoken) waiting.push({ room, line, isShown })
    if (waiting.length > 0) timer ??= setTimeout(readOut, coalesceFor)
    if (document.hidden) notifySystem(room, line)
    drawTitle()
  }

  function readOut() {
    timer = undefined
    readNodes(waiting.length > mostReadOut ? [t('newMessages', { n: waiting.length })]
      : waiting.map((message) => h('p', null, nodesOf(saidPieces(message)))))
    waiting = []
  }

  /** @param {typeof waiting[0]} message */
  function saidPieces({ room, line, isShown }) {
    const text = line.text.slice(0, longestReadOut).replace(/\s+/g, ' ')
    return pieces(isShown ? 'said' : 'saidIn', { from: line.from, text, room: room.name })
  }

  /**
   * Has screen readers read a text out once.
   *
   * @param {string} text
   */
  const announce = (text) => readNodes([text])

  /** @param {(Node | string)[]} nodes */
  function readNodes(nodes) {
    announcer.replaceChildren(...nodes)
    clearTimeout(clearing)
    clearing = setTimeout(() => { announcer.textContent = '' }, announcedFor)
  }

  /**
   * @param {Room} room
   * @param {Line} line
   */
  function notifySystem(room, line) {
    if (!state.settings.notify || globalThis.Notification?.permission !== 'granted') return
    const title = room.name === lobby ? line.from : `${line.from} · #${room.name}`
    const icon = document.querySelector('link[rel=icon]')?.getAttribute('href') ?? undefined
    try {
      const notification = new Notification(title,
        { body: line.text.slice(0, 200), tag: 'chatapp ' + room.name, icon })
      shown.add(notification)
      notification.onclose = () => { shown.delete(notification) }
      notification.onclick = () => {
        window.focus()
        goTo(room.name)
        notification.close()
      }
    } catch {
      // Some phones have the permission but let only service workers use it.
    }
  }

  function drawTitle() {
    const name = `#${state.room} – ${settings.title}`
    const wanted = unseen > 0 ? `(${unseen}) ${name}` : name
    if (document.title !== wanted) document.title = wanted
  }

  function drawTyping() {
    const names = [...state.rooms.get(state.room)?.typing.keys() ?? []]
    const [a, b, c] = names
    /** @type {Piece[]} */
    let said = []
    if (names.length > mostTypists) said = pieces('typingMany')
    else if (names.length > 0) said = pieces('typing' + names.length, { a, b, c })
    typing.replaceChildren(...nodesOf(said))
  }

  document.addEventListener('visibilitychange', () => {
    const room = state.rooms.get(state.room)
    if (document.hidden) {
      clearMarker(room)
      return
    }
    unseen = 0
    if (room) room.unread = 0
    changed('rooms', 'lines')
    drawTitle()
  })
  onIdentityEnd(() => {
    for (const notification of shown) notification.close()
    shown.clear()
    waiting = []
    unseen = 0
    drawTitle()
  })
  watch(['room', 'settings'], drawTitle)
  watch(['typing', 'room', 'settings'], drawTyping)

  return { notifyMessage, announce }
}
