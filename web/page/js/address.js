// The room in the page's address: its fragment.

import { lobby } from './state.js'

/**
 * Returns the room that a fragment names; an empty or malformed one names the lobby.
 *
 * @param {string} hash
 */
export function roomOfHash(hash) {
  try {
    return decodeURIComponent(hash.slice(1)).trim() || lobby
  } catch {
    return lobby
  }
}

/** @param {string} name */
export function hashOfRoom(name) {
  return name === lobby ? '#' : '#' + encodeURIComponent(name)
}
