// Telling those who don't see the conversation: screen readers, a hidden tab's title, notifications.

import { setText } from '../dom.js'
import { state, watch, changed, lobby } from '../state.js'
import { t } from '../i18n.js'

const gather = 400 // ms in which messages are read out together
const readOut = 3 // messages at once; of more, only the number
const typers = 3 // named

export function createAlerts({ announcer, typing, goTo }) {
  let unseen = 0 // messages since the tab was hidden
  let gathered = []
  let timer = 0

  // heard takes a new message by somebody else.
  function heard(room, line) {
    const isShown = room.name === state.room
    if (document.hidden) unseen++
    if (!isShown || document.hidden) {
      room.unread++
      changed('rooms')
    }
    gathered.push(t(isShown ? 'said' : 'saidIn', { from: line.from, text: line.text.slice(0, 500), room: room.name }))
    if (!timer) timer = setTimeout(readGathered, gather)
    if (document.hidden) notify(room, line)
    drawTitle()
  }

  function readGathered() {
    timer = 0
    announce(gathered.length > readOut ? t('fresh', { n: gathered.length }) : gathered.join('\n'))
    gathered = []
  }

  // announce has a text read out once; it is taken away so that nobody walks into it later.
  let clearing = 0
  function announce(text) {
    announcer.textContent = text
    clearTimeout(clearing)
    clearing = setTimeout(() => { announcer.textContent = '' }, 4000)
  }

  function notify(room, line) {
    if (!state.settings.notify || globalThis.Notification?.permission !== 'granted') return
    const title = room.name === lobby ? line.from : `${line.from} · #${room.name}`
    try {
      const notification = new Notification(title, { body: line.text.slice(0, 200), tag: 'chatapp ' + room.name, icon: iconAddress() })
      notification.onclick = () => {
        window.focus()
        goTo(room.name)
        notification.close()
      }
    } catch {
      // Some phones have the permission but only let service workers use it.
    }
  }

  const iconAddress = () => document.querySelector('link[rel=icon]').href

  function drawTitle() {
    const name = `#${state.room} – chatapp`
    document.title = unseen > 0 ? `(${unseen}) ${name}` : name
  }

  function drawTyping() {
    const names = [...state.rooms.get(state.room)?.typing.keys() ?? []]
    const [a, b, c] = names
    let text = ''
    if (names.length > typers) text = t('typingMany')
    else if (names.length > 0) text = t('typing' + names.length, { a, b, c })
    setText(typing, text)
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return
    unseen = 0
    const room = state.rooms.get(state.room)
    if (room) room.unread = 0
    changed('rooms', 'lines')
    drawTitle()
  })
  watch(['room', 'settings'], drawTitle)
  watch(['typing', 'room', 'settings'], drawTyping)

  return { heard, announce }
}
