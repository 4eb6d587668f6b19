// Rooms: their lines and the people in them.

import { state, changed, lobby } from './state.js'

/** @import { Refusal } from './state.js' */
/** @import { Timing } from './timings.js' */

/**
 * A line of a conversation: a message, or a notice that people joined, left or changed their name.
 * @typedef {object} Line
 * @property {'message' | 'join' | 'leave' | 'rename' | 'forgotten' | 'note'} kind
 * @property {string} [id] of the log entry; a provisional message has none
 * @property {number} time as Date.now() counts
 * @property {string} from the author of a message, or whom a notice is about
 * @property {string} text
 * @property {number} [n] position in the room, without gaps; older lines loaded later have smaller,
 *   even negative, ones
 * @property {string} [cid] client message id
 * @property {boolean} [own] whether this user sent it
 * @property {string} [instance] that appended it to the log
 * @property {Timing} [timing]
 * @property {string} [was] the former name, in a rename
 * @property {string[]} [names] everyone a notice is about, if it is about several
 * @property {string[]} [ids] the ids of their lines; id is the last of them
 * @property {string} [provisional] key of a message that the log has not confirmed yet
 */

/**
 * @typedef {object} Room
 * @property {string} name
 * @property {boolean} joined
 * @property {boolean} joining
 * @property {number} epoch raised when lines change other than at either end
 * @property {Line[]} lines
 * @property {Set<string>} ids of the lines
 * @property {boolean} more whether the server has older lines
 * @property {boolean} dropped whether there were older lines, which nobody has any more
 * @property {boolean} loading whether older lines have been asked for
 * @property {Refusal | null} olderRefusal why the server does not give older lines
 * @property {boolean} reading whether the reader is among older lines, which therefore stay
 * @property {Refusal | null} refusal why the server does not let the user in
 * @property {number} unread
 * @property {string} marker id of the first message that is new to the user; empty: none
 * @property {number | undefined} users how many people are in it, once known
 * @property {Map<string, { away: boolean }>} people by name
 * @property {Map<string, number>} typing name to when it expires, as now() counts
 * @property {Map<string, Line>} provisional messages that are not yet in the log, by key
 */

const keptLines = 20000 // in one room; older ones are dropped, and can be loaded again
const droppedAtOnce = 1000

/**
 * Returns the room with this name, and adds it to the state if it is new.
 *
 * @param {string} name
 */
export function roomNamed(name) {
  let room = state.rooms.get(name)
  if (!room) {
    room = {
      name,
      joined: false,
      joining: false,
      epoch: 0,
      lines: [],
      ids: new Set(),
      more: false,
      dropped: false,
      loading: false,
      olderRefusal: null,
      reading: false,
      refusal: null,
      unread: 0,
      marker: '',
      users: undefined,
      people: new Map(),
      typing: new Map(),
      provisional: new Map(),
    }
    state.rooms.set(name, room)
    changed('rooms')
  }
  return room
}

/**
 * Removes a room from the state. The lobby always stays.
 *
 * @param {string} name
 */
export function forgetRoom(name) {
  if (name === lobby) return
  state.rooms.delete(name)
  changed('rooms')
}

/**
 * Adds a line at the end, and reports whether it is new. A late line that is older than the last
 * one is inserted by its time: an own message whose answer was lost arrives like that when it is
 * sent again.
 *
 * @param {Room} room
 * @param {Line} line
 * @param {boolean} [isLate]
 */
export function addLine(room, line, isLate = false) {
  confirm(room, line)
  if (line.id && room.ids.has(line.id)) return false
  for (const id of idsOf(line)) room.ids.add(id)
  const last = room.lines.at(-1)
  if (isLate && last && last.time > line.time) {
    const at = room.lines.findIndex((other) => other.time > line.time)
    room.lines.splice(at, 0, line)
    renumber(room)
  } else {
    line.n = last ? numberOfLine(last) + 1 : 0
    room.lines.push(line)
  }
  if (room.lines.length > keptLines + droppedAtOnce && !room.reading) {
    for (const old of room.lines.splice(0, droppedAtOnce)) {
      for (const id of idsOf(old)) room.ids.delete(id)
    }
    room.more = true
  }
  changed('lines')
  return true
}

/**
 * Removes the provisional message that a line confirms: the one of the same author with its client
 * message id.
 *
 * @param {Room} room
 * @param {Line} line
 */
function confirm(room, { kind, from, cid = '' }) {
  if (kind === 'message' && room.provisional.get(cid)?.from === from) room.provisional.delete(cid)
}

/**
 * Adds a message that the log has not confirmed yet, unless it has.
 *
 * @param {Room} room
 * @param {string} key
 * @param {Line} line
 */
export function addProvisional(room, key, line) {
  if (room.lines.some(({ cid, from }) => cid === key && from === line.from)) return
  room.provisional.set(key, { ...line, provisional: key })
  changed('lines', 'outbox')
}

/**
 * Removes a message that the log is not going to confirm.
 *
 * @param {Room} room
 * @param {string} key
 */
export function withdraw(room, key) {
  if (room.provisional.delete(key)) changed('lines', 'outbox')
}

/** Removes all provisional messages: nobody says what becomes of those of an earlier connection. */
export function withdrawAll() {
  for (const room of state.rooms.values()) {
    for (const key of room.provisional.keys()) withdraw(room, key)
  }
}

/**
 * Forgets what the rooms hold of the user: membership, the rooms that were visited, and which lines
 * are the user's own.
 */
export function disownRooms() {
  for (const name of [...state.rooms.keys()]) forgetRoom(name)
  for (const room of state.rooms.values()) {
    Object.assign(room, {
      joined: false, joining: false, refusal: null, olderRefusal: null, unread: 0, marker: '',
    })
    room.typing.clear()
    room.provisional.clear()
    room.lines = room.lines.map((line) => ({ ...line, own: undefined, timing: undefined }))
    renumber(room)
  }
}

/**
 * Marks messages as the user's own.
 *
 * @param {string[]} cids
 * @param {string} name of the user
 */
export function ownLines(cids, name) {
  const own = new Set(cids)
  for (const room of state.rooms.values()) {
    room.lines = room.lines.map((line) => (
      line.from === name && own.has(line.cid ?? '') ? { ...line, own: true } : line))
    room.epoch++
  }
  changed('lines')
}

/**
 * Replaces messages by a word, and drops notices, because their user wants to be forgotten.
 *
 * @param {Room} room
 * @param {string[]} ids
 */
export function forgetLines(room, ids) {
  const gone = new Set(ids)
  if (!ids.some((id) => room.ids.has(id))) return
  room.lines = room.lines.flatMap((line) => {
    if (!gone.has(line.id ?? '')) return [line]
    return line.kind === 'message'
      ? [{ kind: 'forgotten', id: line.id, time: line.time, from: '', text: '' }] : []
  })
  renumber(room)
  changed('lines')
}

/** @param {Line} line */
const idsOf = (line) => line.ids ?? (line.id ? [line.id] : [])

/**
 * Returns the position of a line in its room.
 *
 * @param {Line | undefined} line
 */
export const numberOfLine = (line) => line?.n ?? 0

/**
 * Returns the number of the first line of a room.
 *
 * @param {Room} room
 */
export const firstNumber = ({ lines }) => numberOfLine(lines[0])

/**
 * Returns the number after that of the last line of a room.
 *
 * @param {Room} room
 */
export const pastNumber = ({ lines }) => (lines.length > 0 ? numberOfLine(lines.at(-1)) + 1 : 0)

/**
 * Returns the line with a number.
 *
 * @param {Room} room
 * @param {number} n
 */
export const lineAt = (room, n) => room.lines[n - firstNumber(room)]

/**
 * Returns the id of the first line of a room. Older lines come before it in the log.
 *
 * @param {Room} room
 */
export const firstID = (room) => idsOf(room.lines[0])[0]

/**
 * Inserts older lines before the first one, except those already there.
 *
 * @param {Room} room
 * @param {Line[]} lines oldest first
 */
export function addOlder(room, lines) {
  const added = lines.filter((line) => !room.ids.has(line.id ?? ''))
  let n = numberOfLine(room.lines[0])
  for (const line of added.toReversed()) {
    line.n = --n
    for (const id of idsOf(line)) room.ids.add(id)
  }
  room.lines.unshift(...added)
  changed('lines')
}

/**
 * Applies a history: adds its lines if they continue those that are there, and replaces them
 * otherwise.
 *
 * @param {Room} room
 * @param {Line[]} lines oldest first
 * @param {object} rest
 * @param {boolean} [rest.more] whether the server has older ones
 * @param {boolean} [rest.dropped] whether there were older ones, which are gone
 * @param {boolean} [rest.reset] whether the server could not fill a gap
 */
export function setHistory(room, lines, { more = false, dropped = false, reset = false }) {
  const overlaps = lines.some((line) => room.ids.has(line.id ?? ''))
  const continues = room.lines.length > 0 && !reset && (overlaps || !more)
  if (continues) {
    for (const line of lines) addLine(room, line, true)
    return
  }
  for (const line of lines) confirm(room, line)
  room.lines = lines
  room.ids = new Set(lines.flatMap(idsOf))
  room.more = more
  room.dropped = dropped
  renumber(room)
  changed('lines')
}

/** @param {Room} room */
function renumber(room) {
  room.epoch++
  room.lines.forEach((line, i) => { line.n = i })
}

/**
 * @param {Room} room
 * @param {Room['people']} people
 * @param {number} [users] how many there are, if people does not hold all
 */
export function setPeople(room, people, users) {
  room.people = people
  room.users = users ?? people.size
  changed('people', 'rooms')
}

/** @param {Room} room */
export function clearUnread(room) {
  if (room.unread === 0) return
  room.unread = 0
  changed('rooms')
}

/**
 * @param {Room} room
 * @param {string} name
 */
export function stopTyping(room, name) {
  if (room.typing.delete(name)) changed('typing')
}
