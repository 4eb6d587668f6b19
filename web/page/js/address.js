// The room in the page's address: its fragment.

import { settings } from './settings.js'
import { lobby } from './state.js'

const first = settings.room || lobby // shown where the address names none

/**
 * Returns the room that a fragment names; an empty or malformed one names the first.
 *
 * @param {string} hash
 */
export function roomOfHash(hash) {
  try {
    return decodeURIComponent(hash.slice(1)).trim() || first
  } catch {
    return first
  }
}

/** @param {string} name */
export function hashOfRoom(name) {
  return name === first ? '#' : '#' + encodeURIComponent(name)
}
