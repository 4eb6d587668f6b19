// Own messages until they are in the log. Each keeps its client message id however often it is
// sent, so the server shows it once. Each room has at most one message under way, so messages
// arrive in order. The outbox survives the loss of the connection and a reload.

import { state, changed } from './state.js'
import { now } from './clock.js'
import { tab } from './storage.js'
import { isArray, isOutboxEntry, isStrings } from './shapes.js'
import { addLine, roomNamed } from './rooms.js'
import { recordSent } from './timings.js'
import { onIdentityEnd } from './identity.js'

/** @import { Refusal } from './state.js' */
/** @import { Timing } from './timings.js' */
/** @import { Connection } from './connection.js' */

/**
 * @typedef {object} OutboxEntry
 * @property {string} cid client message id
 * @property {string} room
 * @property {string} text
 * @property {number} time when the user sent it, as Date.now() counts
 * @property {'waiting' | 'sending' | 'failed'} status
 * @property {number} until when a waiting message may be sent, as now() counts
 * @property {number} [startedAt] when its sending began, as now() counts
 * @property {Refusal} [refusal] the last one
 */

/**
 * @typedef {object} Sent the server's answer to a message
 * @property {true} ok
 * @property {string} id of the log entry
 * @property {number} [time]
 * @property {string} [room]
 * @property {number} [latency] through the log, in ms
 * @property {boolean} [duplicate] whether an earlier attempt had succeeded
 */

const keptIds = 300 // client message ids by which own messages are recognised in the history

// ms before a temporarily refused request is repeated, where the refusal names no time
export const retryPause = 2000

// After these the same request may succeed: the message keeps its position in the outbox.
export const temporaryRefusals =
  new Set(['too_fast', 'overloaded', 'unavailable', 'history_unavailable'])
// These end when the server sends `session` or the room is joined; both call sendNext.
const refusalsUntilJoined = new Set(['no_name', 'not_in_room', 'name_lost'])

/** @typedef {ReturnType<typeof createOutbox>} Outbox */

/**
 * @param {Pick<Connection, 'call'>} connection
 * @param {(cid: string) => void} [onAdd] is called with the id of each message
 */
export function createOutbox(connection, onAdd) {
  /** @type {Set<string>} */
  const busyRooms = new Set() // with a message under way
  const ownIds = new Set(tab.read('cids', [], isStrings))
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const stored = tab.read('outbox', [], isArray).filter(isOutboxEntry)
  state.outbox = stored.map((entry) => (
    entry.status === 'failed' ? entry
      : { ...entry, status: 'waiting', until: 0, startedAt: undefined }))

  onIdentityEnd(() => {
    clearTimeout(timer)
    busyRooms.clear()
    ownIds.clear()
    state.outbox = []
  })

  function save() {
    tab.write('outbox', state.outbox)
    changed('outbox')
  }

  /**
   * Appends a message, and sends it as soon as those before it in the room are in the log.
   *
   * @param {string} room
   * @param {string} text
   */
  function add(room, text) {
    const cid = randomId()
    own([cid])
    onAdd?.(cid)
    state.outbox.push({ cid, room, text, time: Date.now(), status: 'waiting', until: 0 })
    save()
    sendNext()
  }

  /**
   * Has messages with these client message ids count as the user's own.
   *
   * @param {string[]} cids
   */
  function own(cids) {
    for (const cid of cids) ownIds.add(cid)
    for (const oldest of ownIds) {
      if (ownIds.size <= keptIds) break
      ownIds.delete(oldest)
    }
    tab.write('cids', [...ownIds])
  }

  /** Returns the client message ids of the user's last messages. */
  const owned = () => [...ownIds]

  /** Sends the first waiting message of every room that has none under way. */
  function sendNext() {
    clearTimeout(timer)
    if (!state.me.name || state.link.phase !== 'online') return
    const seen = new Set(busyRooms)
    let next = Infinity
    for (const entry of state.outbox) {
      if (entry.status === 'failed' || seen.has(entry.room)) continue
      seen.add(entry.room)
      if (entry.until > now()) next = Math.min(next, entry.until)
      else if (roomNamed(entry.room).joined) send(entry)
    }
    if (next < Infinity) timer = setTimeout(sendNext, next - now() + 5)
  }

  /** @param {OutboxEntry} entry */
  async function send(entry) {
    const { room } = entry
    const { me } = state
    busyRooms.add(room)
    entry.status = 'sending'
    const startedAt = now()
    entry.startedAt = startedAt
    changed('outbox')
    try {
      const [answer] = await connection.call('user message', entry.text, { room, cid: entry.cid })
      if (me !== state.me) return
      busyRooms.delete(room)
      if (answer?.ok) confirm(entry, answer, recordSent(answer, startedAt, now() - startedAt))
      else refuse(entry, answer ?? { code: 'unknown' })
    } catch {
      if (me !== state.me) return
      busyRooms.delete(room)
      entry.status = 'waiting' // the next connection sends it again
      changed('outbox')
      return
    }
    sendNext()
  }

  /**
   * @param {OutboxEntry} entry
   * @param {Sent} answer
   * @param {Timing} timing
   */
  function confirm(entry, answer, timing) {
    remove(entry)
    addLine(roomNamed(answer.room ?? entry.room), {
      kind: 'message', id: answer.id, time: answer.time ?? entry.time, from: state.me.name,
      text: entry.text,
      own: true, cid: entry.cid, instance: state.instance, timing,
    }, answer.duplicate)
  }

  /**
   * @param {OutboxEntry} entry
   * @param {Refusal} refusal
   */
  function refuse(entry, refusal) {
    if (temporaryRefusals.has(refusal.code)) {
      entry.status = 'waiting'
      entry.until = now() + (refusal.wait ?? retryPause)
      entry.refusal = refusal
    } else if (refusalsUntilJoined.has(refusal.code)) {
      entry.status = 'waiting'
      entry.until = now() + retryPause
      if (refusal.code === 'not_in_room') roomNamed(entry.room).joined = false
    } else {
      entry.status = 'failed'
      entry.refusal = refusal
    }
    save()
  }

  /** @param {OutboxEntry} entry */
  function remove(entry) {
    state.outbox = state.outbox.filter((other) => other !== entry)
    save()
  }

  /** @param {string} cid */
  const entryOf = (cid) => state.outbox.find((entry) => entry.cid === cid)

  /**
   * Removes the message with this client message id, which the log has delivered. Reports whether
   * the id is one of this user's.
   *
   * @param {string | undefined} cid
   */
  function markDelivered(cid) {
    if (!cid || !ownIds.has(cid)) return false
    const entry = entryOf(cid)
    if (entry) remove(entry)
    return true
  }

  /**
   * Sends a refused message again, as the last one.
   *
   * @param {string} cid
   */
  function retry(cid) {
    const entry = entryOf(cid)
    if (!entry) return
    const others = state.outbox.filter((other) => other !== entry)
    state.outbox = [...others,
      { ...entry, status: 'waiting', until: 0, refusal: undefined, time: Date.now() }]
    save()
    sendNext()
  }

  /**
   * Removes a refused message and returns its text.
   *
   * @param {string} cid
   */
  function discard(cid) {
    const entry = entryOf(cid)
    if (entry) remove(entry)
    return entry?.text ?? ''
  }

  /**
   * Moves messages to the room by the name that the server writes.
   *
   * @param {string} from
   * @param {string} to
   */
  function renameRoom(from, to) {
    for (const entry of state.outbox) if (entry.room === from) entry.room = to
    save()
  }

  return { add, own, owned, sendNext, markDelivered, retry, discard, renameRoom }
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
