// The rooms, and the people in the room on the screen. On narrow windows the sidebar covers the
// conversation while it is open.

import { h, keyed, setText, find, closest } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { t, compare, formatNumber } from '../i18n.js'
import { hue, firstGrapheme } from '../text.js'
import { hashOfRoom } from '../address.js'

/** @import { Actions } from '../actions.js' */

const mostPeople = 300 // drawn; the number above the list counts all

/**
 * @param {object} options
 * @param {HTMLElement} options.side
 * @param {HTMLElement} options.rooms
 * @param {HTMLElement} options.people
 * @param {HTMLElement} options.count
 * @param {HTMLFormElement} options.visit
 * @param {HTMLInputElement} options.visitField
 * @param {HTMLElement} options.open
 * @param {HTMLElement} options.close
 * @param {HTMLElement} options.message
 * @param {(room: string) => void} options.goTo
 * @param {Pick<Actions, 'refreshDirectory'>} options.actions
 */
export function createSidebar(options) {
  const { side, rooms, people, count, visit, visitField, open, close, message } = options

  function drawRooms() {
    const listed = new Map(state.directory.map((room) => [room.name, room]))
    const names = [...state.rooms.keys(),
      ...[...listed.keys()].filter((name) => !state.rooms.has(name))]
    /** @param {string} name */
    const rank = (name) => (name === lobby ? 0 : state.rooms.has(name) ? 1 : 2)
    names.sort((a, b) => rank(a) - rank(b) || compare(a, b))
    keyed(rooms, names, (name) => name, roomElement,
      (element, name) => updateRoom(element, name, listed.get(name)?.users))
  }

  /** @param {string} name */
  function roomElement(name) {
    return h('li', null, h('a', { href: hashOfRoom(name), title: '#' + name },
      h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), h('bdi', { class: 'name' }, name),
      h('span', { class: 'badge' })))
  }

  /**
   * @param {HTMLElement} element
   * @param {string} name
   * @param {number | undefined} listedUsers
   */
  function updateRoom(element, name, listedUsers) {
    const room = state.rooms.get(name)
    const link = find(element, 'a')
    const badge = find(link, '.badge')
    const unread = room?.unread ?? 0
    link.classList.toggle('known', Boolean(room))
    link.classList.toggle('unread', unread > 0)
    if (name === state.room) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
    const users = room?.users ?? listedUsers
    const shown = unread > 0 ? (unread > 99 ? '99+' : formatNumber(unread)) : users
      ? formatNumber(users) : ''
    setText(badge, shown)
    badge.classList.toggle('marked', unread > 0)
    const label = unread > 0 ? t('unread', { n: unread }) : users ? t('people', { n: users }) : ''
    badge.setAttribute('aria-label', label)
    badge.setAttribute('role', 'img')
    badge.hidden = shown === ''
  }

  function drawPeople() {
    const room = state.rooms.get(state.room)
    if (!room) return
    const { name: me } = state.me
    const names = [...room.people.keys()]
    names.sort((a, b) => Number(b === me) - Number(a === me) || compare(a, b))
    setText(count, formatNumber(Math.max(room.users ?? 0, names.length)))
    keyed(people, names.slice(0, mostPeople), (name) => name, personElement, (element, name) => {
      const away = room.people.get(name)?.away ?? false
      element.classList.toggle('away', away)
      setText(find(element, '.you'), name === me ? t('you') : '')
      setText(find(element, '.aside'), away ? t('away') : '')
    })
  }

  /** @param {string} name */
  function personElement(name) {
    return h('li', { '--hue': hue(name) },
      h('span', { class: 'avatar small', 'aria-hidden': 'true' }, firstGrapheme(name)),
      h('bdi', { class: 'name', title: name }, name), h('span', { class: 'you' }),
      h('span', { class: 'aside' }))
  }

  const isOpen = () => side.classList.contains('open')

  /** @param {boolean} wanted */
  function toggle(wanted) {
    if (wanted === isOpen()) return
    side.classList.toggle('open', wanted)
    open.setAttribute('aria-expanded', String(wanted))
    if (wanted) {
      options.actions.refreshDirectory()
      close.focus()
    } else open.focus()
  }

  open.addEventListener('click', () => toggle(true))
  close.addEventListener('click', () => toggle(false))
  document.addEventListener('pointerdown', (event) => {
    if (isOpen() && event.target instanceof Node && !side.contains(event.target)) toggle(false)
  })
  rooms.addEventListener('click', (event) => {
    if (closest(event.target, 'a') && isOpen()) {
      toggle(false)
      message.focus({ preventScroll: true })
    }
  })
  visit.addEventListener('submit', (event) => {
    event.preventDefault()
    const name = visitField.value.trim().replace(/^#/, '')
    if (name === '') return
    visitField.value = ''
    toggle(false)
    options.goTo(name)
    message.focus()
  })
  watch(['rooms', 'room', 'people', 'settings'], drawRooms)
  watch(['people', 'room', 'me', 'settings'], drawPeople)

  return { isOpen, toggle }
}
