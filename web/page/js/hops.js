// What a message's way costs. For an own message everything is measured: the page knows when it sent and when the answer
// came, and the answer says how long the way through the log took. For others' messages the clocks of page and instance
// are compared first, by the answers; how far they are off is known to half a round trip.

import { state, changed } from './state.js'

const kept = 12 // last messages
const window = 60 // seconds of the rate

const clock = { ahead: undefined, error: Infinity } // of the server's over ours, ms
const seconds = new Map() // second to a map from instance to messages
state.hops = []

// sent notes an answered message and returns its measured way.
export function sent(answer, startedAt, total) {
  const log = Math.min(answer.latency ?? 0, total)
  const way = { own: true, total, log, wire: total - log, from: state.session.instance, to: state.session.instance, at: Date.now() }
  if (answer.time && !answer.duplicate && way.wire / 2 < clock.error) {
    clock.error = way.wire / 2
    clock.ahead = answer.time - (startedAt + way.wire / 2)
  }
  note(way)
  return way
}

// received notes another's message and returns its way, as far as it is known.
export function received(meta) {
  const way = { own: false, from: meta.instance ?? '', to: state.session.instance, at: Date.now() }
  if (clock.ahead !== undefined && meta.time) way.total = Math.max(0, Date.now() + clock.ahead - meta.time)
  note(way)
  return way
}

function note(way) {
  state.hops = [...state.hops.slice(1 - kept), way]
  const second = Math.floor(way.at / 1000)
  let counts = seconds.get(second)
  if (!counts) {
    counts = new Map()
    seconds.set(second, counts)
    for (const old of seconds.keys()) {
      if (old <= second - window) seconds.delete(old)
    }
  }
  counts.set(way.from, (counts.get(way.from) ?? 0) + 1)
  changed('hops')
}

// rate returns messages in each of the last 60 seconds, oldest first, all of them or those said at one instance.
export function rate(instance) {
  const now = Math.floor(Date.now() / 1000)
  return Array.from({ length: window }, (_, i) => {
    const counts = seconds.get(now - window + 1 + i)
    if (!counts) return 0
    if (instance !== undefined) return counts.get(instance) ?? 0
    let sum = 0
    for (const count of counts.values()) sum += count
    return sum
  })
}
