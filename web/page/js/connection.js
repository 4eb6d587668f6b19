// The connection to the server: events both ways, answers to events that carry an id, and
// reconnecting after a loss. This module knows no event of the chat, and not what carries messages.
//
// The server's heartbeat is too slow for people. A connection that died without a word is therefore
// found by a probe: when the system reports a change, when an answer is late, and
// after a time without any message.

import { now } from './clock.js'

const connectTimeout = 8000 // ms for a connection to be made, handshake included
const probeTimeout = 2000 // ms for a probe to be followed by any message at all
const lateAfter = 700 // ms without a message after which a waiting call sends a probe
const idleLimit = 15000 // ms without a message before a probe
const minimumBackoff = 500 // ms
const maximumBackoff = 30000 // ms between two attempts
const stableAfter = 5000 // ms online after which the next loss starts the back-off again
const freshFor = 1000 // ms after a message in which waking sends no probe

/**
 * Rejects a call whose connection was lost before the answer. Whether the server acted on it is
 * unknown.
 */
export class ConnectionLost extends Error {}

/**
 * @typedef {object} Handlers
 * @property {(attempt: number) => Carrier} openCarrier attempt counts those since the last stable
 *   connection
 * @property {() => object} connectPayload the fields of the first message
 * @property {(name: string, args: any[]) => void} onEvent
 * @property {(phase: 'connecting' | 'online' | 'waiting' | 'closed', detail?: Loss) => void}
 *   onPhase
 * @property {string} probe the name of an event that the server answers cheaply
 */

/**
 * A connection that was lost: since when, and when the next attempt comes, as now() of clock.js
 * counts.
 * @typedef {{ retryAt: number, since: number }} Loss
 */

/** @import { Carrier } from './carrier.js' */

/**
 * A message to the server: the first one has connect, every other one event.
 * @typedef {object} ClientMessage
 * @property {object} [connect]
 * @property {string} [event]
 * @property {unknown[]} [args]
 * @property {number} [id] asks for an answer
 */

/**
 * A message of the server. Each has one of these fields.
 * @typedef {object} ServerMessage
 * @property {string} [event]
 * @property {number} [ack] the id of the event that this answers
 * @property {any[]} [args] of an event or an answer
 * @property {object} [connect]
 * @property {object} [connect_error]
 * @property {object} [disconnect]
 */

/** @typedef {ReturnType<typeof createConnection>} Connection */

/**
 * Returns a connection that is not yet open.
 *
 * @param {Handlers} handlers
 */
export function createConnection({ openCarrier, connectPayload, onEvent, onPhase, probe }) {
  /** @type {Carrier | null} */
  let socket = null
  let online = false
  let wanted = false // by the user: after a loss the connection is made again
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer // of the connection attempt under way, or of the next one
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let probing
  let attempt = 0
  let onlineSince = 0
  let lastMessageAt = 0
  let nextId = 1
  /** @type {Map<number, { resolve: (args: any[]) => void, reject: (reason: Error) => void }>} */
  const calls = new Map() // waiting for an answer, by id

  function open() {
    clearTimeout(timer)
    wanted = true
    onPhase('connecting')
    const opened = openCarrier(attempt)
    socket = opened
    timer = setTimeout(() => lose(opened), connectTimeout)
    opened.onopen = () => opened.send({ connect: connectPayload() })
    opened.onmessage = (message) => { if (opened === socket) receive(message) }
    opened.onclose = () => lose(opened)
  }

  /** @param {ServerMessage} message */
  function receive(message) {
    lastMessageAt = now()
    if (message.event !== undefined) onEvent(message.event, message.args ?? [])
    else if (message.ack !== undefined) {
      const waiting = calls.get(message.ack)
      calls.delete(message.ack)
      waiting?.resolve(message.args ?? [])
    } else if (message.connect) {
      clearTimeout(timer)
      online = true
      onlineSince = now()
      onPhase('online')
    } else if (message.connect_error) {
      lose(socket)
    } else if (message.disconnect) {
      close() // the server does not want the client to reconnect by itself
    }
  }

  function abandon() {
    const old = socket
    socket = null
    online = false
    clearTimeout(timer)
    clearTimeout(probing)
    probing = undefined
    old?.close()
    const lost = [...calls.values()]
    calls.clear()
    for (const { reject } of lost) reject(new ConnectionLost('connection lost'))
  }

  /**
   * Abandons a connection that has been dead since then, and schedules the next attempt.
   *
   * @param {Carrier | null} old
   * @param {number} [since]
   */
  function lose(old, since = now()) {
    if (old !== socket) return
    const wasStable = online && now() - onlineSince > stableAfter
    abandon()
    if (!wanted) return
    attempt = wasStable ? 0 : attempt + 1
    // The first attempt comes at once, with jitter, because an instance may lose all its clients in
    // the same moment.
    const backoff = wasStable ? 0 : Math.min(maximumBackoff, minimumBackoff * 2 ** attempt)
    const delay = backoff / 2 + Math.random() * (backoff / 2 || minimumBackoff / 2)
    timer = setTimeout(open, delay)
    onPhase('waiting', { retryAt: now() + delay, since })
  }

  function close() {
    wanted = false
    abandon()
    onPhase('closed')
  }

  /** Sends a probe, unless one is under way, and abandons the connection if no message follows. */
  function check() {
    if (!online || probing !== undefined) return
    const checked = socket
    const askedAt = now()
    probing = setTimeout(() => {
      probing = undefined
      if (lastMessageAt < askedAt) lose(checked, askedAt)
    }, probeTimeout)
    emit(probe)
  }

  /** Connects now instead of later. */
  function retry() {
    if (!wanted || !socket) open()
  }

  /** Connects or checks the connection, because the system or the tab has come back. */
  function wake() {
    if (wanted && !socket) open()
    else if (now() - lastMessageAt > freshFor) check()
  }

  /** Checks a connection that has been idle for long. Called regularly. */
  function checkIdle() {
    if (now() - lastMessageAt > idleLimit) check()
  }

  /** @param {ClientMessage} message */
  function write(message) {
    socket?.send(message)
  }

  /**
   * Sends an event, and reports whether there was a connection to send it on.
   *
   * @param {string} name
   * @param {unknown[]} args
   */
  function emit(name, ...args) {
    if (online) write(args.length > 0 ? { event: name, args } : { event: name })
    return online
  }

  /**
   * Sends an event and returns the arguments of its answer. Rejects with ConnectionLost.
   *
   * @param {string} name
   * @param {unknown[]} args
   * @returns {Promise<any[]>}
   */
  function call(name, ...args) {
    if (!online) return Promise.reject(new ConnectionLost('not connected'))
    const id = nextId++
    return new Promise((resolve, reject) => {
      calls.set(id, { resolve, reject })
      write({ event: name, args, id })
      const askedAt = now()
      setTimeout(() => { if (calls.has(id) && lastMessageAt < askedAt) check() }, lateAfter)
    })
  }

  return { open, retry, emit, call, check, wake, checkIdle, idleCheckEvery: idleLimit / 3 }
}
