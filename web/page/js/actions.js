// What the user does, sent to the server.

import { state, changed, lobby } from './state.js'
import { now } from './clock.js'
import { tab, browser } from './storage.js'
import { temporaryRefusals, retryPause } from './outbox.js'
import {
  roomNamed, forgetRoom, setPeople, addOlder, clearUnread, disownRooms, firstID, ownLines,
} from './rooms.js'
import { clearMarker } from './reading.js'
import { hasEnded } from './ended.js'
import { endIdentity, newToken, onIdentityEnd } from './identity.js'

/** @import { Connection } from './connection.js' */
/** @import { Outbox } from './outbox.js' */
/** @import { Line, Room } from './rooms.js' */
/** @import { Refusal } from './state.js' */

const typingEvery = 2500 // ms between two `typing` of a room; on the server one expires after 6 s
const pageSize = 100 // older lines loaded at once

/**
 * @typedef {{ name?: string, rooms?: string[], token?: string }} NameConfirmed the answer to
 *   `nickname`
 */
/**
 * @typedef {{ go: (room: string) => void, replace: (room: string) => void }} Navigation changes the
 *   page's address
 */
/** @typedef {ReturnType<typeof createActions>} Actions */

/**
 * @param {object} options
 * @param {Pick<Connection, 'call' | 'emit' | 'retry' | 'check'>} options.connection
 * @param {Outbox} options.outbox
 * @param {(line: Line) => Line} options.toLine
 * @param {Navigation} options.navigation
 */
export function createActions({ connection, outbox, toLine, navigation }) {
  /** @type {Map<string, number>} */
  const typingSentAt = new Map() // by room, as now() counts
  let claiming = false // a nickname, whose answer has not come

  onIdentityEnd(() => {
    typingSentAt.clear()
    claiming = false
    disownRooms()
  })

  /**
   * Asks the server for a nickname: to enter the chat, or to be renamed.
   *
   * @param {string} nick
   */
  async function claimName(nick) {
    const requested = nick.trim()
    const { nicknameDialog, me } = state
    me.requestedName = requested
    nicknameDialog.busy = true
    nicknameDialog.refusal = null
    changed('nickname')
    if (claiming || state.link.phase !== 'online') return // the next `session` makes the claim
    claiming = true
    try {
      if (!me.name) me.token ??= newToken()
      const answer = me.name ? connection.call('rename', requested)
        : connection.call('nickname', requested, { token: me.token })
      /** @type {any[]} */
      const [taken, detail] = await answer
      if (me !== state.me) return
      claiming = false
      if (taken) refuseName(detail ?? { code: 'name_taken' })
      else {
        closeDialog()
        handleNamed(detail?.name ?? requested, detail?.rooms, detail?.token)
      }
    } catch {
      if (me !== state.me) return
      claiming = false
      changed('nickname') // the dialog stays busy: the next `session` makes the claim
    }
  }

  /**
   * Asks for another name for the user. The dialog shows a refusal.
   *
   * @param {string} name
   */
  function requestRename(name) {
    state.nicknameDialog = { open: true, renaming: true, busy: true, refusal: null }
    claimName(name)
  }

  /** Goes on here as the user who chats in another tab. That one rests then. */
  function goOnHere() {
    const { elsewhere, me } = state
    state.elsewhere = null
    if (!elsewhere) {
      state.link.replaced = false
      connection.retry()
      return
    }
    me.token = elsewhere.token
    outbox.own(elsewhere.cids)
    ownLines(elsewhere.cids, elsewhere.name)
    for (const room of elsewhere.rooms) roomNamed(room)
    claimName(elsewhere.name)
  }

  function closeDialog() {
    state.nicknameDialog = { open: false, renaming: false, busy: false, refusal: null }
  }

  /** @param {Refusal} refusal */
  function refuseName(refusal) {
    const { me } = state
    const refused = me.requestedName
    state.nicknameDialog = { ...state.nicknameDialog, open: true, busy: false, refusal }
    if (me.name) me.requestedName = me.name
    if (refusal.wait) {
      setTimeout(() => { if (state.nicknameDialog.refusal === refusal) claimName(refused) },
        refusal.wait)
    }
    changed('nickname')
  }

  /**
   * Records the name by which the server knows the user, and joins the rooms that the user wants to
   * be in. The server sends the name more than once: when it recognises the user, and when the log
   * has confirmed it.
   *
   * @param {string} name
   * @param {string[]} [rooms] that the user is in
   * @param {string} [token]
   */
  function handleNamed(name, rooms, token) {
    const { me, nicknameDialog } = state
    if (!me.requestedName && !me.token && !token) {
      connection.emit('leave') // the server resumes a user who has left meanwhile
      return
    }
    const isNew = me.name !== name
    const renameTo = nicknameDialog.renaming && nicknameDialog.busy ? me.requestedName : ''
    me.name = me.requestedName = name
    if (token) me.token = token
    tab.write('requested-name', name)
    tab.write('token', me.token)
    browser.write('nickname', name)
    if (!nicknameDialog.renaming) closeDialog()
    if (rooms) for (const room of state.rooms.values()) room.joined = rooms.includes(room.name)
    for (const room of rooms ?? [lobby]) markJoined(roomNamed(room))
    for (const room of [...state.rooms.values()]) if (!room.joined) joinRoom(room.name)
    saveRooms()
    refreshDirectory()
    changed('nickname', 'me', 'rooms')
    if (isNew) changed('lines')
    if (renameTo) claimName(renameTo)
    outbox.sendNext()
  }

  /**
   * Records that the server knows no name for this connection, and claims the last one again or
   * asks the user for one.
   *
   * @param {Refusal} [refusal]
   */
  function handleUnnamed(refusal) {
    if (claiming) return // the answer to the claim decides
    const { me, nicknameDialog } = state
    me.name = ''
    for (const room of state.rooms.values()) room.joined = false
    changed('me', 'rooms')
    if (state.signedIn && !refusal) { // the server claims the name that the proxy gives
      closeDialog()
      changed('nickname')
      return
    }
    if (me.requestedName &&
      (!nicknameDialog.open || nicknameDialog.busy || nicknameDialog.renaming)) {
      claimName(me.requestedName)
    } else {
      if (state.room === lobby) loadPeople(roomNamed(lobby)) // the dialog says who is there
      const shown = refusal ?? nicknameDialog.refusal
      state.nicknameDialog = { ...nicknameDialog, open: true, renaming: false, refusal: shown }
      changed('nickname')
    }
  }

  /** @param {Room} room */
  function markJoined(room) {
    room.joined = true
    room.refusal = room.olderRefusal = null
    if (room.people.size === 0) loadPeople(room)
  }

  /** @param {string} name */
  async function joinRoom(name) {
    let room = roomNamed(name)
    if (!state.me.name || room.joining) return
    const { me } = state
    room.joining = true
    const answer = await request('join', name)
    if (me !== state.me) return
    room.joining = false
    if (!answer && state.link.phase !== 'online') return // the next `session` joins
    if (!answer?.ok) {
      room.refusal = answer ?? { code: 'unknown' }
      changed('rooms', 'lines')
      return
    }
    if (answer.room && answer.room !== name) { // the same room, as the server writes its name
      state.rooms.delete(name)
      outbox.renameRoom(name, answer.room)
      room = roomNamed(answer.room)
      if (state.room === name) {
        navigation.replace(answer.room)
        showRoom(answer.room)
      }
    }
    room.joined = true
    room.refusal = room.olderRefusal = null
    room.users = answer.users ?? room.users
    saveRooms()
    refreshDirectory()
    changed('rooms', 'lines')
    outbox.sendNext()
  }

  /**
   * Puts a room on the screen, and joins it if the user is not in it.
   *
   * @param {string} name
   */
  function showRoom(name) {
    if (state.room !== name) {
      const before = state.rooms.get(state.room)
      clearMarker(before)
      if (before?.refusal) forgetRoom(state.room)
    }
    state.leftRooms.delete(name)
    state.room = name
    const room = roomNamed(name)
    clearUnread(room)
    changed('room', 'lines', 'people', 'typing', 'outbox')
    if (state.me.name && !room.joined) joinRoom(name)
  }

  /** @param {string} name */
  async function leaveRoom(name) {
    if (name === lobby) return
    const left = request('leave', name)
    state.leftRooms.add(name)
    forgetRoom(name)
    saveRooms()
    if (state.room === name) navigation.go(lobby)
    await left
    // Events that arrived before the answer have added the room again.
    if (!state.rooms.get(name)?.joined && state.room !== name) forgetRoom(name)
  }

  function leaveChat() {
    connection.emit('leave')
    endIdentity()
    navigation.go(lobby)
  }

  /** Ends the identity here as well if its user has left the chat in another tab. */
  function followLeave() {
    if (!hasEnded(state.me.token)) return
    leaveChat()
    state.link.replaced = false
    connection.retry()
  }

  function saveRooms() {
    tab.write('rooms', [...state.rooms.values()].filter((room) => room.joined)
      .map((room) => room.name))
  }

  /**
   * Loads the lines before the first one of a room. A refusal stands until the room is joined
   * again or the user asks once more.
   *
   * @param {Room} room
   * @param {boolean} [onceMore] although the server has refused
   */
  async function loadOlder(room, onceMore = false) {
    if (!room.more || room.loading || room.lines.length === 0) return
    if (room.olderRefusal && !onceMore) return
    room.loading = true
    changed('lines')
    const answer = await request('history',
      { room: room.name, before: firstID(room), limit: pageSize })
    room.loading = false
    room.olderRefusal = answer && !answer.ok ? answer : null
    if (answer?.ok) {
      room.more = Boolean(answer.more) && answer.messages.length > 0
      room.dropped = Boolean(answer.dropped)
      addOlder(room, answer.messages.map(toLine))
    }
    changed('lines')
  }

  /** @param {Room} room */
  async function loadPeople(room) {
    const answer = await request('who', room.name)
    if (!answer?.ok) return
    /** @type {{ name: string, away?: boolean }[]} */
    const users = answer.users
    setPeople(room, new Map(users.map(({ name, away }) => [name, { away: Boolean(away) }])))
  }

  async function refreshDirectory() {
    const answer = await request('rooms')
    if (!answer?.ok) return
    state.directory = answer.rooms
    changed('rooms')
  }

  /**
   * Asks for the cluster's status. By itself the server sends it only when membership or readiness
   * changes.
   */
  async function refreshStatus() {
    const status = await request('status')
    if (!status?.instances) return
    state.cluster = status
    changed('cluster')
  }

  /**
   * Searches messages, newest first.
   *
   * @param {string} text
   * @param {string} room empty: all rooms of the user
   * @param {string} before where an earlier search ended; empty: none
   */
  const search = (text, room, before) =>
    request('search', { text, ...(room && { room }), ...(before && { before }) })

  /**
   * Sends an event and returns the first argument of its answer. Repeats it while the refusal is
   * temporary. Returns undefined if the connection is lost, because the next `session` brings what
   * is missing, and if the user has left meanwhile.
   *
   * @param {string} event
   * @param {unknown[]} args
   */
  async function request(event, ...args) {
    const { me } = state
    try {
      for (;;) {
        const [answer] = await connection.call(event, ...args)
        if (me !== state.me) return undefined
        if (!temporaryRefusals.has(answer?.code)) return answer
        await new Promise((resolve) => setTimeout(resolve, answer.wait ?? retryPause))
        if (me !== state.me) return undefined
      }
    } catch {
      return undefined
    }
  }

  /** @param {string} text */
  function sendMessage(text) {
    typingSentAt.delete(state.room)
    clearMarker(state.rooms.get(state.room))
    outbox.add(state.room, text)
  }

  /** @param {boolean} isTyping */
  function setTyping(isTyping) {
    const { room } = state
    const last = typingSentAt.get(room)
    if (isTyping && (last === undefined || now() - last > typingEvery)) {
      typingSentAt.set(room, now())
      connection.emit('typing', { room })
    } else if (!isTyping && last !== undefined) {
      typingSentAt.delete(room)
      connection.emit('stop typing', { room })
    }
  }

  return {
    claimName, handleNamed, handleUnnamed, showRoom, leaveRoom, leaveChat, followLeave,
    loadOlder, refreshDirectory, refreshStatus, sendMessage, setTyping, requestRename, goOnHere,
    search, retry: outbox.retry, discard: outbox.discard, reconnect: connection.retry,
  }
}
