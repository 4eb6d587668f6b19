// Applies the server's events to the state. Events and arguments are described in
// internal/chat/VOCABULARY.md; unknown events and unknown fields are ignored.

import { state, arrive, changed, lobby } from './state.js'
import { now } from './clock.js'
import {
  roomNamed, addLine, addProvisional, forgetLines, setHistory, setPeople, stopTyping, withdraw,
} from './rooms.js'
import { restoreRead } from './reading.js'
import { recordReceived } from './timings.js'

/** @import { ClusterStatus, Refusal } from './state.js' */
/** @import { Line, Room } from './rooms.js' */
/** @import { Actions } from './actions.js' */
/** @import { Outbox } from './outbox.js' */

/**
 * @typedef {object} SessionEvent
 * @property {string} [instance]
 * @property {string} [name] as the server knows the user; absent if it does not
 * @property {string[]} [rooms]
 * @property {string} [token]
 * @property {boolean} [signedIn] whether a proxy decides the name
 * @property {string} [code] why there is no name
 * @property {string} [message]
 * @property {{ message: number, nickname: number }} [limits]
 */

/**
 * @typedef {object} MessageMeta
 * @property {string} [room]
 * @property {number} [time]
 * @property {string} [instance]
 * @property {string} [cid]
 * @property {string} [replaces] key of the provisional message that this confirms
 */

/**
 * @typedef {object} AnnouncementMeta
 * @property {'join' | 'leave' | 'rename' | 'refused'} [kind]
 * @property {string} [name]
 * @property {string} [was]
 * @property {string} [room]
 * @property {number} [users]
 * @property {number} [time]
 * @property {string} [id]
 * @property {string[]} [names]
 * @property {string[]} [ids]
 */

/** @typedef {{ room?: string, users?: number, away?: string[] }} NicknamesMeta */
/**
 * @typedef {{ messages: Line[], more?: boolean, dropped?: boolean, reset?: boolean }} HistoryEvent
 */
/** @typedef {{ username: string, room: string }} TypingEvent */

// Events that a busy room has many a second of.
const frequent = new Set(['user message', 'announcement', 'typing', 'stop typing', 'away'])
const typingExpiresAfter = 6500 // ms; a little longer than the server's own limit

/**
 * Returns the function that takes events. onMessage is called for every new message of another
 * user.
 *
 * @param {object} options
 * @param {Pick<Actions, 'handleNamed' | 'handleUnnamed'>} options.actions
 * @param {Pick<Outbox, 'markDelivered'>} options.outbox
 * @param {(line: Line) => Line} options.toLine
 * @param {(room: Room, line: Line) => void} options.onMessage
 */
export function createEvents({ actions, outbox, toLine, onMessage }) {
  /** @type {Record<string, (...args: any[]) => void>} */
  const events = {
    /** @param {SessionEvent} session */
    session({ instance, name, rooms, token, signedIn, code, message, limits }) {
      state.instance = instance ?? state.instance
      if (token) state.me.token = token
      state.signedIn = Boolean(signedIn)
      if (limits) state.limits = { ...state.limits, ...limits }
      changed('cluster', 'me')
      if (name) actions.handleNamed(name, rooms, token)
      else actions.handleUnnamed(code && code !== 'name_lost' ? { code, message } : undefined)
    },

    /**
     * @param {string} from
     * @param {string} text
     * @param {MessageMeta} meta
     * @param {string} id
     */
    'user message'(from, text, meta = {}, id) {
      const room = roomNamed(meta.room ?? lobby)
      if (meta.replaces) withdraw(room, meta.replaces)
      stopTyping(room, from)
      const own = from === state.me.name && outbox.markDelivered(meta.cid)
      const { instance, cid, time = Date.now() } = meta
      /** @type {Line} */
      const line = { kind: 'message', id, time, from, text, own, instance, cid }
      if (!own) line.timing = recordReceived(meta)
      if (addLine(room, line) && !own) onMessage(room, line)
    },

    /**
     * @param {string} text
     * @param {AnnouncementMeta} meta
     * @param {string} [id]
     */
    announcement(text, meta = {}, id) {
      const room = roomNamed(meta.room ?? lobby)
      const { kind, was, users, ids, time = Date.now() } = meta
      if (kind === 'refused') return // for pages that ask for no answer
      // Where it names several people, this user may be one of them.
      const names = meta.names?.filter((one) => one !== state.me.name) ?? [meta.name ?? '']
      const name = names[0]
      if (kind === 'join') for (const one of names) room.people.set(one, { away: false })
      else if (kind === 'leave') for (const one of names) room.people.delete(one)
      else if (kind === 'rename' && was !== undefined) {
        const person = room.people.get(was) ?? { away: false }
        room.people.delete(was)
        room.people.set(name, person)
      }
      if (kind === 'leave') for (const one of names) stopTyping(room, one)
      room.users = users ?? room.people.size
      addLine(room, {
        kind: kind ?? 'note', id: meta.id ?? id, ids, time, from: name, names, was, text,
      })
      changed('people', 'rooms')
    },

    /**
     * @param {Record<string, string>} names
     * @param {NicknamesMeta} meta
     */
    nicknames(names, meta = {}) {
      const away = new Set(meta.away)
      const people = new Map(Object.values(names).map((name) => [name, { away: away.has(name) }]))
      setPeople(roomNamed(meta.room ?? lobby), people, meta.users)
    },

    /** @param {{ name: string, room: string, away: boolean }} event */
    away({ name, room, away }) {
      const person = state.rooms.get(room)?.people.get(name)
      if (!person) return
      person.away = away
      changed('people')
    },

    /**
     * @param {string} name
     * @param {HistoryEvent} history
     */
    history(name, { messages, ...rest }) {
      const room = roomNamed(name)
      setHistory(room, messages.map(toLine), rest)
      restoreRead(room, name === state.room && !globalThis.document?.hidden)
    },

    /** @param {{ room: string, ids: string[] }} event */
    forgotten({ room: name, ids }) {
      const room = state.rooms.get(name)
      if (room) forgetLines(room, ids)
    },

    /** @param {TypingEvent} event */
    typing({ username, room: name }) {
      const room = state.rooms.get(name)
      if (!room || username === state.me.name) return
      room.typing.set(username, now() + typingExpiresAfter)
      setTimeout(expireTyping, typingExpiresAfter + 10, room)
      changed('typing')
    },

    /** @param {TypingEvent} event */
    'stop typing'({ username, room: name }) {
      const room = state.rooms.get(name)
      if (room) stopTyping(room, username)
    },

    /**
     * @param {string} from
     * @param {string} text
     * @param {{ key: string, room: string, time: number }} meta
     */
    provisional(from, text, { key, room, time }) {
      addProvisional(roomNamed(room), key, { kind: 'message', time, from, text })
    },

    /** @param {{ key: string, room: string }} event */
    withdrawn({ key, room: name }) {
      const room = state.rooms.get(name)
      if (room) withdraw(room, key)
    },

    /** @param {ClusterStatus} status */
    status(status) {
      state.cluster = status
      if (status.instance) state.instance = status.instance
      changed('cluster')
    },

    /** @param {Refusal & { event: string }} refusal */
    refused(refusal) {
      console.warn('refused:', refusal.event, refusal.code, refusal.message)
    },

    replaced() {
      state.link.replaced = true
      // The server leaves out what the other tab says meanwhile, because it takes that for known
      // here. Without an offset it sends the history.
      state.offset = ''
    },
  }

  /** @param {Room} room */
  function expireTyping(room) {
    for (const [name, until] of room.typing) {
      if (until <= now()) stopTyping(room, name)
    }
  }

  /**
   * @param {string} name
   * @param {any[]} args
   */
  return (name, args) => {
    // An event that the log orders ends in the id of its entry, a string. All other events end in
    // something else.
    const last = args.at(-1)
    if (args.length >= 2 && typeof last === 'string') state.offset = last
    if (!Object.hasOwn(events, name)) return
    if (frequent.has(name)) arrive(() => events[name](...args))
    else events[name](...args)
  }
}
