// How far one has read: the first new message of a room, which the page marks, and how many are
// unread. Both survive a reload.

import { state, changed } from './state.js'
import { tab } from './storage.js'
import { isRecordOfStrings } from './shapes.js'
import { onIdentityEnd } from './identity.js'

/** @import { Line, Room } from './rooms.js' */

/** @type {Map<string, string>} room to the last id read */
const readBefore = new Map(Object.entries(tab.read('read', {}, isRecordOfStrings)))

onIdentityEnd(() => {
  readBefore.clear()
  for (const room of state.rooms.values()) room.marker = ''
})

/**
 * Records that a message has arrived which the user has not seen.
 *
 * @param {Room} room
 * @param {Line} line
 */
export function addUnread(room, line) {
  room.unread++
  room.marker ||= line.id ?? ''
  changed('rooms')
}

/**
 * Removes the mark before the first new message, because the user has seen it.
 *
 * @param {Room | undefined} room
 */
export function clearMarker(room) {
  if (!room?.marker) return
  room.marker = ''
  room.epoch++
  changed('lines')
}

/** Has the next page of this tab know what was read. */
export function saveRead() {
  for (const { name, lines, marker } of state.rooms.values()) {
    const firstNew = lines.findIndex((line) => line.id === marker)
    const last = firstNew < 0 ? lines.at(-1) : lines[firstNew - 1]
    if (last?.id) readBefore.set(name, last.id)
  }
  tab.write('read', Object.fromEntries(readBefore))
}

/**
 * Finds out which messages of a room have arrived since the page before this one was left.
 *
 * @param {Room} room whose history has just arrived
 * @param {boolean} isSeen whether the user sees it
 */
export function restoreRead(room, isSeen) {
  const id = readBefore.get(room.name)
  if (id === undefined) return
  readBefore.delete(room.name)
  const last = room.lines.findIndex((line) => line.id === id)
  if (last < 0) return
  const fresh = room.lines.slice(last + 1).filter((line) => line.kind === 'message' && !line.own)
  if (fresh.length === 0) return
  room.marker = fresh[0].id ?? ''
  if (!isSeen) room.unread = fresh.length
  changed('rooms', 'lines')
}
