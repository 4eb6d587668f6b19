// What the user does, said to the server.

import { state, changed, lobby } from './state.js'
import { tab, browser } from './storage.js'
import { passing, pause } from './outbox.js'
import { roomNamed, forgetRoom, setPeople, addOlder, clearUnread, firstID } from './rooms.js'

const typingEvery = 2500 // ms between two `typing` of a room; the server lets one expire after 6 s
const pageSize = 100 // older lines asked for at once

// roomOfAddress is the room that the address bar names.
export function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim() || lobby
  } catch {
    return lobby
  }
}

export function addressOfRoom(name) {
  return name === lobby ? '#' : '#' + encodeURIComponent(name)
}

export function createActions(connection, outbox, toLine) {
  const typedAt = new Map()
  let claiming = false

  // claim asks for a nickname, to enter or to be renamed.
  async function claim(nick) {
    const wish = nick.trim()
    const { naming, me } = state
    me.wish = wish
    naming.busy = true
    naming.refusal = null
    changed('naming')
    if (claiming || state.link.phase !== 'online') return // asked again as soon as there is a connection
    claiming = true
    try {
      const args = me.name ? ['rename', wish] : ['nickname', wish, me.token ? { token: me.token } : {}]
      const [taken, detail] = await connection.call(...args)
      claiming = false
      if (taken) refuse(detail ?? { code: 'name_taken' })
      else {
        state.naming = { open: false, renaming: false, busy: false, refusal: null }
        named(detail?.name ?? wish, detail?.rooms, detail?.token)
      }
    } catch {
      claiming = false
      changed('naming') // busy stays: the next session asks again
    }
  }

  function refuse(refusal) {
    const { me } = state
    const refused = me.wish
    state.naming = { ...state.naming, open: true, busy: false, refusal }
    if (me.name) me.wish = me.name
    if (refusal.wait) setTimeout(() => state.naming.refusal === refusal && claim(refused), refusal.wait)
    changed('naming')
  }

  // named takes note of the name that the server knows us by, and joins the rooms we want to be in. The server says it
  // more than once: when it believes us, and when the log has confirmed it.
  function named(name, rooms, token) {
    const { me, naming } = state
    const isNew = me.name !== name
    const renameTo = naming.renaming && naming.busy ? me.wish : ''
    me.name = me.wish = name
    if (token) me.token = token
    tab.write('wish', name)
    tab.write('token', me.token)
    browser.write('nickname', name)
    if (!naming.renaming) state.naming = { open: false, renaming: false, busy: false, refusal: null }
    if (rooms) for (const room of state.rooms.values()) room.joined = rooms.includes(room.name)
    for (const room of rooms ?? [lobby]) enter(roomNamed(room))
    for (const room of [...state.rooms.values()]) if (!room.joined) join(room.name)
    saveRooms()
    refreshDirectory()
    changed('naming', 'me', 'rooms')
    if (isNew) changed('lines')
    if (renameTo) claim(renameTo)
    outbox.pump()
  }

  // unnamed takes note that the server knows no name for this connection.
  function unnamed(refusal) {
    if (claiming) return // the answer will tell
    const { me, naming } = state
    me.name = ''
    for (const room of state.rooms.values()) room.joined = false
    changed('me', 'rooms')
    if (me.wish && (!naming.open || naming.busy || naming.renaming)) claim(me.wish)
    else {
      state.naming = { ...naming, open: true, renaming: false, refusal: refusal ?? naming.refusal }
      changed('naming')
    }
  }

  function enter(room) {
    room.joined = true
    room.refusal = null
    if (room.people.size === 0) who(room)
  }

  async function join(name) {
    let room = roomNamed(name)
    if (!state.me.name || room.joining) return
    room.joining = true
    const answer = await ask('join', name)
    room.joining = false
    if (!answer && state.link.phase !== 'online') return // the next session joins
    if (!answer?.ok) {
      room.refusal = answer ?? { code: 'unknown' }
      changed('rooms', 'lines')
      return
    }
    if (answer.room && answer.room !== name) {
      state.rooms.delete(name) // the same room, as the server writes it
      outbox.move(name, answer.room)
      room = roomNamed(answer.room)
      if (state.room === name) {
        history.replaceState(null, '', addressOfRoom(answer.room))
        show(answer.room)
      }
    }
    room.joined = true
    room.refusal = null
    room.users = answer.users ?? room.users
    saveRooms()
    refreshDirectory()
    changed('rooms', 'lines')
    outbox.pump()
  }

  // show makes a room the one on the screen, joining it if need be.
  function show(name) {
    if (state.room !== name && state.rooms.get(state.room)?.refusal) forgetRoom(state.room)
    state.room = name
    const room = roomNamed(name)
    clearUnread(room)
    changed('room', 'lines', 'people', 'typing', 'outbox')
    if (state.me.name && !room.joined) join(name)
  }

  async function leaveRoom(name) {
    if (name === lobby) return
    const left = ask('leave', name)
    forgetRoom(name)
    saveRooms()
    if (state.room === name) location.hash = addressOfRoom(lobby)
    await left
    // What was said there meanwhile has made the room known again.
    if (!state.rooms.get(name)?.joined && state.room !== name) forgetRoom(name)
  }

  function leaveChat() {
    connection.emit('leave')
    state.me = { name: '', wish: '', token: undefined }
    tab.write('wish', undefined)
    tab.write('token', undefined)
    tab.write('rooms', undefined)
    for (const name of [...state.rooms.keys()]) forgetRoom(name)
    roomNamed(lobby).joined = false
    state.naming = { open: true, renaming: false, busy: false, refusal: null }
    location.hash = addressOfRoom(lobby)
    changed('me', 'naming', 'rooms', 'room', 'lines')
  }

  function saveRooms() {
    tab.write('rooms', [...state.rooms.values()].filter((room) => room.joined).map((room) => room.name))
  }

  // older asks for the lines before the first one.
  async function older(room) {
    if (!room.more || room.loading || room.lines.length === 0) return
    room.loading = true
    changed('lines')
    const answer = await ask('history', { room: room.name, before: firstID(room), limit: pageSize })
    room.loading = false
    if (answer?.ok) {
      room.more = Boolean(answer.more) && answer.messages.length > 0
      addOlder(room, answer.messages.map(toLine))
    }
    changed('lines')
  }

  async function who(room) {
    const answer = await ask('who', room.name)
    if (answer?.ok) setPeople(room, new Map(answer.users.map(({ name, away }) => [name, { away: Boolean(away) }])))
  }

  async function refreshDirectory() {
    const answer = await ask('rooms')
    if (!answer?.ok) return
    state.directory = answer.rooms
    changed('rooms')
  }

  // refreshStatus asks how the cluster is: the server tells of itself only when an instance comes, goes or falters.
  async function refreshStatus() {
    const status = await ask('status')
    if (!status?.instances) return
    state.cluster = status
    changed('cluster')
  }

  // ask is a call whose answer is dropped when the connection is lost: the next session asks again. What is refused only for
  // the moment is asked again here.
  async function ask(...args) {
    try {
      for (;;) {
        const [answer] = await connection.call(...args)
        if (!passing.has(answer?.code)) return answer
        await new Promise((done) => setTimeout(done, answer.wait ?? pause))
      }
    } catch {
      return undefined
    }
  }

  function say(text) {
    typedAt.delete(state.room)
    outbox.add(state.room, text)
  }

  function typing(isTyping) {
    const { room } = state
    const last = typedAt.get(room) ?? 0
    if (isTyping && Date.now() - last > typingEvery) {
      typedAt.set(room, Date.now())
      connection.emit('typing', { room })
    } else if (!isTyping && last) {
      typedAt.delete(room)
      connection.emit('stop typing', { room })
    }
  }

  return { claim, named, unnamed, join, show, leaveRoom, leaveChat, older, refreshDirectory, refreshStatus, say, typing, retry: outbox.retry, discard: outbox.discard, reconnect: connection.retry, check: connection.check }
}
