// The head of the room: its name, how many are in it, the link to it, and the instance that serves
// this page.

import { setText } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { t, milliseconds } from '../i18n.js'

/** @import { Actions } from '../actions.js' */

const copiedFor = 1500 // ms for which the button shows that the link is copied

/**
 * @param {object} options
 * @param {HTMLElement} options.title
 * @param {HTMLElement} options.subtitle
 * @param {HTMLElement} options.copy
 * @param {HTMLElement} options.leaveRoom
 * @param {HTMLElement} options.openDiagnostics
 * @param {HTMLElement} options.instance
 * @param {HTMLElement} options.latency
 * @param {HTMLElement} options.pulse
 * @param {HTMLElement} options.sideMark shows on narrow windows that a room has unread messages
 * @param {(text: string) => void} options.announce
 * @param {Pick<Actions, 'leaveRoom'>} options.actions
 */
export function createRoomHeader(options) {
  const { title, subtitle, copy, leaveRoom, openDiagnostics, instance, latency, pulse, sideMark } =
    options

  function draw() {
    const room = state.rooms.get(state.room)
    setText(title, '#' + state.room)
    title.title = '#' + state.room
    setText(subtitle, room?.users === undefined ? ''
      : t('people', { n: Math.max(room.users, room.people.size) }))
    leaveRoom.hidden = state.room === lobby
    sideMark.hidden = ![...state.rooms.values()].some((other) => other.unread > 0)
  }

  function drawInstance() {
    const own = state.timings.findLast((timing) => timing.own)
    const { cluster } = state
    const name = state.instance
    const count = cluster?.instances?.length ?? 0
    const withCount = count > 1 ? `${name} · ${t('instances', { n: count })}` : name
    setText(instance, name === '' ? t('instanceNone') : withCount)
    const log = own?.log ?? (cluster?.latency || undefined)
    setText(latency, log === undefined ? '' : milliseconds(log))
    pulse.dataset.phase = cluster?.cutOff ? 'cut' : state.link.phase
    const described = [instance.textContent, latency.textContent].filter(Boolean).join(', ')
    openDiagnostics.setAttribute('aria-label', t('openDiagnostics', { instance: described }))
    openDiagnostics.title = t('diagnostics')
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let copied
  copy.addEventListener('click', async () => {
    if (!await copyText(location.href)) return
    options.announce(t('copied'))
    copy.classList.add('done')
    clearTimeout(copied)
    copied = setTimeout(() => copy.classList.remove('done'), copiedFor)
  })
  leaveRoom.addEventListener('click', () => options.actions.leaveRoom(state.room))
  watch(['room', 'rooms', 'people', 'settings'], draw)
  watch(['cluster', 'timings', 'link', 'settings'], drawInstance)
}

/**
 * Copies a text, and reports whether that worked. Where the page may not use the clipboard, as on
 * plain http, it selects the text and executes the browser's own command.
 *
 * @param {string} text
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    document.body.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    return done
  }
}
