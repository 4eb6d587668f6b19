// The room in the page's address, and maybe a line in it: its fragment, such as #garden or
// #garden@1.2f.x3.

import { settings } from './settings.js'
import { lobby } from './state.js'

const first = settings.room || lobby // shown where the address names none
const withLine = /^(.*)@([0-9a-z]+\.[0-9a-z]+\.[0-9a-z]+)$/s

/** @typedef {{ room: string, line?: string }} Place line: the id of a message */

/**
 * Returns the place that a fragment names; an empty or malformed one names the first room.
 *
 * @param {string} hash
 * @returns {Place}
 */
export function placeOfHash(hash) {
  const [, room = hash.slice(1), line] = withLine.exec(hash.slice(1)) ?? []
  try {
    const name = decodeURIComponent(room).trim() || first
    return line ? { room: name, line } : { room: name }
  } catch {
    return { room: first }
  }
}

/** @param {string} name */
export function hashOfRoom(name) {
  return name === first ? '#' : '#' + encodeURIComponent(name)
}

/**
 * @param {string} room
 * @param {string} id of a message
 */
export const hashOfLine = (room, id) => `${hashOfRoom(room)}@${id}`
