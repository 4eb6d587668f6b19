// The state of the page: one object, changed by events.js (what the server says), actions.js (what the user does),
// outbox.js and connection.js, and drawn by the views. Whoever changes a part says so with changed(topic).

import { tab, browser } from './storage.js'

export const lobby = 'lobby'

export const state = {
  // phase: connecting, online, waiting (for retryAt, in ms of Date.now), closed (until the user asks), replaced (by another tab)
  link: { phase: 'connecting', retryAt: 0, downSince: Date.now(), quiet: true, ever: false },
  session: { instance: '' },
  limits: { message: 4000, nickname: 32 }, // grapheme clusters; 0: none
  // name is what the server calls us, '' while it has no name for us; wish is what we ask to be called
  me: { name: '', wish: tab.read('wish', ''), token: tab.read('token', undefined) },
  naming: { open: !tab.read('wish', ''), renaming: false, busy: false, refusal: null },
  room: lobby, // the one shown
  rooms: new Map(), // those we are in or want to be in, by name: see rooms.js
  directory: [], // all rooms there are: {name, users}
  outbox: [], // own messages not yet in the log, in order: see outbox.js
  offset: '', // id of the last log entry seen
  cluster: null, // the server's last `status`
  settings: {
    language: browser.read('language', ''),
    theme: browser.read('theme', 'auto'),
    notify: browser.read('notify', false),
  },
}

const watchers = []
const dirty = new Set()
let scheduled = false

// watch calls draw before the next frame after any of these topics has changed, and once at the beginning. Topics: link,
// naming, me, room, rooms, lines, people, typing, outbox, cluster, hops, settings.
export function watch(topics, draw) {
  watchers.push({ topics, draw })
  for (const topic of topics) changed(topic)
}

// changed marks topics. Views are drawn once per frame however many changes it brings; a hidden tab has no frames, so a
// timer stands in for them.
export function changed(...topics) {
  for (const topic of topics) dirty.add(topic)
  if (scheduled) return
  scheduled = true
  let done = false
  const flush = () => {
    if (done) return
    done = true
    scheduled = false
    const now = new Set(dirty)
    dirty.clear()
    for (const { topics: wanted, draw } of watchers) {
      if (wanted.some((topic) => now.has(topic))) draw()
    }
  }
  if (!document.hidden) requestAnimationFrame(flush)
  setTimeout(flush, document.hidden ? 0 : 60)
}
