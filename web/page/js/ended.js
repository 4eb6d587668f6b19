// Which identities have ended in this browser. Other tabs may hold the same one: a tab that rests,
// one that the browser has put to sleep, or one that is closed and opened again. They learn here
// that its user has left, and forget it as well.

import { browser, tab } from './storage.js'
import { isNumber, isNumbers, isString } from './shapes.js'

const kept = 50 // identities
const key = 'ended'

/**
 * Returns a number that tells tokens apart. It does not tell the token.
 *
 * @param {string} token
 */
function markOf(token) {
  let hash = 2166136261
  for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 16777619)
  return hash >>> 0
}

/**
 * Records that the identity of a token has ended.
 *
 * @param {string | undefined} token
 */
export function recordEnd(token) {
  if (!token || hasEnded(token)) return // another tab has recorded it
  browser.write(key, [...browser.read(key, [], isNumbers), markOf(token)].slice(-kept))
}

/**
 * Reports whether the identity of a token has ended, in whichever tab.
 *
 * @param {string | undefined} token
 */
export const hasEnded = (token) =>
  token !== undefined && browser.read(key, [], isNumbers).includes(markOf(token))

let predecessors = tab.read('predecessors', 0, isNumber)

/**
 * Returns how many people have left the chat in this tab before the present one. Places in the
 * tab's history that an earlier one has visited are told apart by it.
 */
export const predecessorCount = () => predecessors

/** Removes what the tab keeps of its identity. The next person in it finds nothing. */
export function clearTab() {
  tab.clear()
  tab.write('predecessors', ++predecessors)
}

if (hasEnded(tab.read('token', undefined, isString))) clearTab()
