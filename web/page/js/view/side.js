// Beside the conversation: the rooms and the people in the one shown. On narrow windows it lies over the conversation
// while it is open.

import { h, keyed, setText, byId } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { t, numberOf } from '../i18n.js'
import { hue, firstGrapheme } from '../text.js'
import { addressOfRoom } from '../actions.js'

const mostPeople = 300 // drawn; of more, the number says enough

export function createSide({ side, rooms, people, count, visit, open, close, actions }) {
  function drawRooms() {
    const known = new Map(state.directory.map((room) => [room.name, room]))
    const names = [...state.rooms.keys(), ...[...known.keys()].filter((name) => !state.rooms.has(name))]
    const rank = (name) => (name === lobby ? 0 : state.rooms.has(name) ? 1 : 2)
    names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    keyed(rooms, names, (name) => name, roomElement, (element, name) => updateRoom(element, name, known.get(name)))
  }

  function roomElement(name) {
    return h('li', null, h('a', { href: addressOfRoom(name) }, h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), h('bdi', { class: 'name' }, name), h('span', { class: 'badge' })))
  }

  function updateRoom(element, name, listed) {
    const room = state.rooms.get(name)
    const [link] = element.children
    const badge = link.lastElementChild
    const unread = room?.unread ?? 0
    link.classList.toggle('known', Boolean(room))
    link.classList.toggle('unread', unread > 0)
    if (name === state.room) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
    const users = room?.users ?? listed?.users
    setText(badge, unread > 0 ? (unread > 99 ? '99+' : numberOf(unread)) : users ? numberOf(users) : '')
    badge.classList.toggle('marked', unread > 0)
    badge.setAttribute('aria-label', unread > 0 ? t('unread', { n: unread }) : users ? t('people', { n: users }) : '')
    badge.setAttribute('role', 'img')
    badge.hidden = badge.textContent === ''
  }

  function drawPeople() {
    const room = state.rooms.get(state.room)
    if (!room) return
    const names = [...room.people.keys()].sort((a, b) => (b === state.me.name) - (a === state.me.name) || a.localeCompare(b))
    setText(count, numberOf(Math.max(room.users ?? 0, names.length)))
    keyed(people, names.slice(0, mostPeople), (name) => name, personElement, (element, name) => {
      const { away } = room.people.get(name)
      element.classList.toggle('away', away)
      const own = name === state.me.name
      setText(element.lastElementChild, [own ? t('you') : '', away ? t('away') : ''].filter(Boolean).join(' '))
    })
  }

  function personElement(name) {
    return h('li', { '--hue': hue(name) }, h('span', { class: 'avatar small', 'aria-hidden': 'true' }, firstGrapheme(name)), h('bdi', { class: 'name' }, name), h('span', { class: 'aside' }))
  }

  const isOpen = () => side.classList.contains('open')

  function toggle(wanted) {
    if (wanted === isOpen()) return
    side.classList.toggle('open', wanted)
    open.setAttribute('aria-expanded', String(wanted))
    if (wanted) {
      actions.refreshDirectory()
      close.focus()
    } else open.focus()
  }

  open.addEventListener('click', () => toggle(true))
  close.addEventListener('click', () => toggle(false))
  document.addEventListener('pointerdown', (event) => {
    if (isOpen() && !side.contains(event.target)) toggle(false)
  })
  rooms.addEventListener('click', (event) => {
    if (event.target.closest('a') && isOpen()) {
      toggle(false)
      byId('message').focus({ preventScroll: true })
    }
  })
  visit.addEventListener('submit', (event) => {
    event.preventDefault()
    const field = visit.querySelector('input')
    const name = field.value.trim().replace(/^#/, '')
    if (name === '') return
    field.value = ''
    toggle(false)
    location.hash = addressOfRoom(name)
    byId('message').focus()
  })
  watch(['rooms', 'room', 'people', 'settings'], drawRooms)
  watch(['people', 'room', 'me', 'settings'], drawPeople)

  return { isOpen, toggle }
}
