// Finds out why no connection comes about: the device is offline, the server does not answer, or it
// answers plain requests, so that something on the way refuses what the chat needs.

import { state, changed } from './state.js'

const failuresBefore = 2 // attempts that fail before the page looks for the reason
const answerWithin = 5000 // ms

/** @typedef {'' | 'offline' | 'gone' | 'refused'} Trouble empty: not known */

/**
 * @param {object} options
 * @param {(limit: number) => Promise<boolean>} options.reach reports whether the server answers a
 *   plain request
 */
export function createTrouble({ reach }) {
  let failures = 0
  let looking = false

  /** Records that an attempt to connect has failed, or that a connection was lost. */
  async function failed() {
    failures++
    if (!navigator.onLine) tell('offline')
    else if (failures >= failuresBefore && !looking) {
      looking = true
      const answers = await reach(answerWithin)
      looking = false
      if (failures > 0) tell(!navigator.onLine ? 'offline' : answers ? 'refused' : 'gone')
    }
  }

  /** Records that there is a connection. */
  function connected() {
    failures = 0
    tell('')
  }

  /** @param {Trouble} trouble */
  function tell(trouble) {
    if (state.link.trouble === trouble) return
    state.link.trouble = trouble
    changed('link')
  }

  return { failed, connected }
}

/**
 * Asks for the path that says whether the server lives.
 *
 * @param {number} limit ms
 */
export async function reachServer(limit) {
  try {
    const answer = await fetch(new URL('healthz', document.baseURI), {
      cache: 'no-store', signal: AbortSignal.timeout(limit),
    })
    return answer.ok
  } catch {
    return false
  }
}
