// The head of the room: its name, who is there, the link to it, and which instance serves this window.

import { setText } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { t, milliseconds } from '../i18n.js'

export function createBar({ title, subtitle, copy, leaveRoom, openBehind, instance, latency, pulse, sideMark, announce, actions }) {
  function draw() {
    const room = state.rooms.get(state.room)
    setText(title, '#' + state.room)
    setText(subtitle, room?.users === undefined ? '' : t('people', { n: Math.max(room.users, room.people.size) }))
    leaveRoom.hidden = state.room === lobby
    sideMark.hidden = ![...state.rooms.values()].some((other) => other.unread > 0)
  }

  function drawInstance() {
    const own = state.hops.findLast((way) => way.own)
    const name = state.session.instance
    const count = state.cluster?.instances?.length ?? 0
    setText(instance, name === '' ? t('instanceNone') : count > 1 ? `${name} · ${t('instances', { n: count })}` : name)
    setText(latency, own ? milliseconds(own.log) : state.cluster?.latency > 0 ? milliseconds(state.cluster.latency) : '')
    pulse.dataset.phase = state.cluster?.cutOff ? 'cut' : state.link.phase
    openBehind.setAttribute('aria-label', t('openBehind', { instance: [instance.textContent, latency.textContent].filter(Boolean).join(', ') }))
    openBehind.title = t('behind')
  }

  let copied = 0
  copy.addEventListener('click', async () => {
    if (!await copyText(location.href)) return
    announce(t('copied'))
    copy.classList.add('done')
    clearTimeout(copied)
    copied = setTimeout(() => copy.classList.remove('done'), 1500)
  })
  leaveRoom.addEventListener('click', () => actions.leaveRoom(state.room))
  watch(['room', 'rooms', 'people', 'settings'], draw)
  watch(['cluster', 'hops', 'link', 'settings'], drawInstance)
}

// copyText falls back to selecting where the clipboard is closed to the page, as on plain http.
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
