// Own messages until they are in the log. Each has an id of its own, the same however often it is sent, so that the
// server shows it once; in a room the next goes when the one before has its answer, so that they arrive in order. The
// outbox outlives the connection and a reload.

import { state, changed } from './state.js'
import { tab } from './storage.js'
import { addLine, roomNamed } from './rooms.js'
import { sent } from './hops.js'

const keptIds = 300 // of own messages, by which they are known again in the history

export const pause = 2000 // ms before trying again what was refused for the moment without saying how long

// Refusals that pass: the message stays where it is in the queue.
export const passing = new Set(['too_fast', 'overloaded', 'unavailable'])
// Refusals that end with the next `session` or `join`, which call pump.
const waiting = new Set(['no_name', 'not_in_room', 'name_lost'])

export function createOutbox(connection) {
  const busy = new Set() // names of rooms with a message under way
  const ownIds = new Set(tab.read('cids', []))
  let timer = 0

  state.outbox = tab.read('outbox', []).map((entry) => ({ ...entry, status: entry.status === 'failed' ? 'failed' : 'waiting', until: 0 }))

  function save() {
    tab.write('outbox', state.outbox)
    changed('outbox')
  }

  function add(room, text) {
    const cid = randomId()
    ownIds.add(cid)
    if (ownIds.size > keptIds) ownIds.delete(ownIds.values().next().value)
    tab.write('cids', [...ownIds])
    state.outbox.push({ cid, room, text, time: Date.now(), status: 'waiting', until: 0 })
    save()
    pump()
  }

  // pump sends the first waiting message of every room that has none under way.
  function pump() {
    clearTimeout(timer)
    if (!state.me.name || state.link.phase !== 'online') return
    const seen = new Set(busy)
    let next = Infinity
    for (const entry of state.outbox) {
      if (entry.status === 'failed' || seen.has(entry.room)) continue
      seen.add(entry.room)
      if (entry.until > Date.now()) next = Math.min(next, entry.until)
      else if (roomNamed(entry.room).joined) send(entry)
    }
    if (next < Infinity) timer = setTimeout(pump, next - Date.now() + 5)
  }

  async function send(entry) {
    busy.add(entry.room)
    entry.status = 'sending'
    const at = performance.now()
    const clock = Date.now()
    changed('outbox')
    try {
      const [answer] = await connection.call('user message', entry.text, { room: entry.room, cid: entry.cid })
      busy.delete(entry.room)
      if (answer?.ok) confirm(entry, answer, sent(answer, clock, performance.now() - at))
      else refuse(entry, answer ?? { code: 'unknown' })
    } catch {
      busy.delete(entry.room)
      entry.status = 'waiting' // the next session sends it again
      changed('outbox')
      return
    }
    pump()
  }

  function confirm(entry, answer, hops) {
    remove(entry)
    addLine(roomNamed(answer.room ?? entry.room), {
      kind: 'message', id: answer.id, time: answer.time ?? entry.time, from: state.me.name, text: entry.text, own: true, cid: entry.cid, instance: state.session.instance, hops,
    }, answer.duplicate)
  }

  function refuse(entry, refusal) {
    if (passing.has(refusal.code)) {
      entry.status = 'waiting'
      entry.until = Date.now() + (refusal.wait ?? pause)
      entry.refusal = refusal
    } else if (waiting.has(refusal.code)) {
      entry.status = 'waiting'
      entry.until = Date.now() + pause
      if (refusal.code === 'not_in_room') roomNamed(entry.room).joined = false
    } else {
      entry.status = 'failed'
      entry.refusal = refusal
    }
    save()
  }

  function remove(entry) {
    state.outbox = state.outbox.filter((other) => other !== entry)
    save()
  }

  // settle drops the entry of a message that has been seen in the log, and tells whether cid is of a message of ours.
  function settle(cid) {
    if (!cid || !ownIds.has(cid)) return false
    const entry = state.outbox.find((other) => other.cid === cid)
    if (entry) remove(entry)
    return true
  }

  // retry sends a refused message again, now as the last one.
  function retry(cid) {
    const entry = state.outbox.find((other) => other.cid === cid)
    if (!entry) return
    state.outbox = [...state.outbox.filter((other) => other !== entry), { ...entry, status: 'waiting', until: 0, refusal: undefined, time: Date.now() }]
    save()
    pump()
  }

  // discard takes a refused message back and returns its text.
  function discard(cid) {
    const entry = state.outbox.find((other) => other.cid === cid)
    if (entry) remove(entry)
    return entry?.text ?? ''
  }

  // move takes along what was to be said in a room that the server calls otherwise.
  function move(from, to) {
    for (const entry of state.outbox) if (entry.room === from) entry.room = to
    save()
  }

  return { add, pump, settle, retry, discard, move }
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
