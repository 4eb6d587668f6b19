// How long messages take. An own message is measured: the page knows when it sent it and when the
// answer came, and the answer says how long the way through the log took. For a message of another
// user the page first compares its clock with the instance's by those answers. That comparison is
// uncertain by half a round trip.

import { state, changed } from './state.js'
import { now } from './clock.js'

/**
 * The timing of one message, in ms. wire is both ways between the page and its instance.
 * @typedef {object} Timing
 * @property {boolean} own
 * @property {number} [total] absent while the clocks have not been compared
 * @property {number} log
 * @property {number} wire
 * @property {string} from the instance that appended the message to the log
 * @property {string} to the instance that serves this page
 * @property {number} at as now() counts
 */

const keptTimings = 12
const rateSeconds = 60 // that rate reports

// The server's clock, less now(), and how wrong that may be, in ms.
const clock = { ahead: /** @type {number | undefined} */ (undefined), error: Infinity }
/** @type {Map<number, Map<string, number>>} */
const seconds = new Map() // second to instance to messages in that second

/** Forgets how the clocks compare: another instance has another one. */
export function resetClock() {
  clock.ahead = undefined
  clock.error = Infinity
}

/**
 * Records that the server has acknowledged an own message, and returns its timing.
 *
 * @param {{ time?: number, latency?: number, duplicate?: boolean }} answer
 * @param {number} startedAt as now() counts
 * @param {number} total from the sending to the answer, in ms
 * @returns {Timing}
 */
export function recordSent(answer, startedAt, total) {
  const log = Math.min(answer.latency ?? 0, total)
  const wire = total - log
  const timing = {
    own: true, total, log, wire, from: state.instance, to: state.instance, at: now(),
  }
  if (answer.time && !answer.duplicate && wire / 2 < clock.error) {
    clock.error = wire / 2
    clock.ahead = answer.time - (startedAt + wire / 2)
  }
  record(timing)
  return timing
}

/**
 * Records a message of another user, and returns its timing as far as it is known.
 *
 * @param {{ time?: number, instance?: string }} meta
 * @returns {Timing}
 */
export function recordReceived(meta) {
  /** @type {Timing} */
  const timing = {
    own: false, log: 0, wire: 0, from: meta.instance ?? '', to: state.instance, at: now(),
  }
  if (clock.ahead !== undefined && meta.time)
    timing.total = Math.max(0, now() + clock.ahead - meta.time)
  record(timing)
  return timing
}

/** @param {Timing} timing */
function record(timing) {
  state.timings = [...state.timings.slice(1 - keptTimings), timing]
  const second = Math.floor(timing.at / 1000)
  let counts = seconds.get(second)
  if (!counts) {
    counts = new Map()
    seconds.set(second, counts)
    for (const old of seconds.keys()) {
      if (old <= second - rateSeconds) seconds.delete(old)
    }
  }
  counts.set(timing.from, (counts.get(timing.from) ?? 0) + 1)
  changed('timings')
}

/**
 * Returns the number of messages in each of the last 60 seconds, oldest first: all of them, or
 * those of one instance.
 *
 * @param {string} [instance]
 */
export function rate(instance) {
  const second = Math.floor(now() / 1000)
  return Array.from({ length: rateSeconds }, (_, i) => {
    const counts = seconds.get(second - rateSeconds + 1 + i)
    if (!counts) return 0
    if (instance !== undefined) return counts.get(instance) ?? 0
    let sum = 0
    for (const count of counts.values()) sum += count
    return sum
  })
}
