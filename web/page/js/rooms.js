// Rooms: the lines said in them and the people there. A line is {n, kind, id, time, from, text, was?, own?, instance?,
// hops?}; n counts them without gaps, downwards for older ones found later, so that views can tell what they have. One of
// several people who came or went together also has their names and ids; its own id is the last of these.

import { state, changed, lobby } from './state.js'

const keptLines = 20000 // in one room; beyond it the oldest go, and can be asked for again

export function roomNamed(name) {
  let room = state.rooms.get(name)
  if (!room) {
    room = {
      name,
      joined: false,
      joining: false,
      epoch: 0, // raised when lines are not merely added at one of the ends
      lines: [],
      ids: new Set(),
      more: false, // whether the server has older lines
      loading: false,
      refusal: null, // why we may not be here
      unread: 0,
      users: undefined, // how many, once known
      people: new Map(), // name to {away}
      typing: new Map(), // name to the time it expires
      provisional: new Map(), // key to a line that is not in the log yet
    }
    state.rooms.set(name, room)
    changed('rooms')
  }
  return room
}

export function forgetRoom(name) {
  if (name === lobby) return
  state.rooms.delete(name)
  changed('rooms')
}

// addLine puts a line at the end, unless it is there. A line that turns out to be older than the last ones goes where
// its time puts it: our own, when the answer to it was lost and only the repeated attempt told of it.
export function addLine(room, line, isLate = false) {
  if (line.id && room.ids.has(line.id)) return false
  for (const id of idsOf(line)) room.ids.add(id)
  const last = room.lines.at(-1)
  if (isLate && last && last.time > line.time) {
    const at = room.lines.findIndex((other) => other.time > line.time)
    room.lines.splice(at, 0, line)
    renumber(room)
  } else {
    line.n = last ? last.n + 1 : 0
    room.lines.push(line)
  }
  if (room.lines.length > keptLines + 1000) {
    for (const old of room.lines.splice(0, 1000)) for (const id of idsOf(old)) room.ids.delete(id)
    room.more = true
  }
  changed('lines')
  return true
}

const idsOf = (line) => line.ids ?? (line.id ? [line.id] : [])

// firstID is the id of the first line of a room: what is older comes before it.
export const firstID = (room) => idsOf(room.lines[0])[0]

// addOlder puts lines before the first, and drops those already there.
export function addOlder(room, lines) {
  const fresh = lines.filter((line) => !room.ids.has(line.id))
  let n = room.lines.length > 0 ? room.lines[0].n : 0
  for (const line of fresh.toReversed()) {
    line.n = --n
    room.ids.add(line.id)
  }
  room.lines.unshift(...fresh)
  changed('lines')
}

// setHistory makes these the lines of the room, or adds them to those there if they continue them.
export function setHistory(room, lines, more, reset) {
  const continues = room.lines.length > 0 && !reset && (lines.some((line) => room.ids.has(line.id)) || !more)
  if (continues) {
    for (const line of lines) addLine(room, line, true)
    return
  }
  room.lines = lines
  room.ids = new Set(lines.map((line) => line.id))
  room.more = more
  renumber(room)
  changed('lines')
}

function renumber(room) {
  room.epoch++
  room.lines.forEach((line, i) => { line.n = i })
}

export function setPeople(room, people, users) {
  room.people = people
  room.users = users ?? people.size
  changed('people', 'rooms')
}

export function clearUnread(room) {
  if (room.unread === 0) return
  room.unread = 0
  changed('rooms')
}

// stopTyping takes a name off the line of those typing.
export function stopTyping(room, name) {
  if (room.typing.delete(name)) changed('typing')
}
