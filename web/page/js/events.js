// What the server says, put into the state. Events and arguments are those of the chat's vocabulary; what else an event
// carries is ignored, and so are events not known here.

import { state, changed, lobby } from './state.js'
import { roomNamed, addLine, setHistory, setPeople, stopTyping } from './rooms.js'
import { received } from './hops.js'

const typingFor = 6500 // ms; a little longer than the server's own limit

// createEvents returns the function that takes events. actions and outbox are those of the modules of that name; heard
// (room, line) is called for every new message by somebody else.
export function createEvents({ actions, outbox, toLine, heard }) {
  const events = {
    session({ instance, name, rooms, token, code, message, limits }) {
      state.session.instance = instance ?? state.session.instance
      if (token) state.me.token = token
      if (limits) state.limits = { ...state.limits, ...limits }
      changed('cluster', 'me')
      if (name) actions.named(name, rooms, token)
      else actions.unnamed(code && code !== 'name_lost' ? { code, message } : undefined)
    },

    'user message'(from, text, meta = {}, id) {
      const room = roomNamed(meta.room ?? lobby)
      if (meta.replaces) room.provisional.delete(meta.replaces)
      stopTyping(room, from)
      const own = from === state.me.name && outbox.settle(meta.cid)
      const line = { kind: 'message', id, time: meta.time ?? Date.now(), from, text, own, instance: meta.instance, cid: meta.cid }
      if (!own) line.hops = received(meta)
      if (addLine(room, line) && !own) heard(room, line)
    },

    announcement(text, meta = {}, id) {
      const room = roomNamed(meta.room ?? lobby)
      const { kind, was, users } = meta
      const names = meta.names?.filter((one) => one !== state.me.name) ?? [meta.name] // a crowd's, we may be in it
      const name = names[0]
      if (kind === 'join') for (const one of names) room.people.set(one, { away: false })
      else if (kind === 'leave') for (const one of names) room.people.delete(one)
      else if (kind === 'rename') {
        const person = room.people.get(was) ?? { away: false }
        room.people.delete(was)
        room.people.set(name, person)
      }
      if (kind === 'leave') for (const one of names) stopTyping(room, one)
      room.users = users ?? room.people.size
      addLine(room, { kind: kind ?? 'note', id: meta.id ?? id, ids: meta.ids, time: meta.time ?? Date.now(), from: name, names, was, text })
      changed('people', 'rooms')
    },

    nicknames(names, meta = {}) {
      const away = new Set(meta.away)
      const people = new Map(Object.values(names).map((name) => [name, { away: away.has(name) }]))
      setPeople(roomNamed(meta.room ?? lobby), people, meta.users)
    },

    away({ name, room, away }) {
      const person = state.rooms.get(room)?.people.get(name)
      if (!person) return
      person.away = away
      changed('people')
    },

    history(name, { messages, more, reset }) {
      setHistory(roomNamed(name), messages.map(toLine), Boolean(more), Boolean(reset))
    },

    typing({ username, room: name }) {
      const room = state.rooms.get(name)
      if (!room || username === state.me.name) return
      room.typing.set(username, Date.now() + typingFor)
      setTimeout(expireTyping, typingFor + 10, room)
      changed('typing')
    },

    'stop typing'({ username, room: name }) {
      const room = state.rooms.get(name)
      if (room) stopTyping(room, username)
    },

    provisional(from, text, { key, room: name, time }) {
      roomNamed(name).provisional.set(key, { kind: 'message', time, from, text, provisional: key })
      changed('lines', 'outbox')
    },

    status(status) {
      state.cluster = status
      if (status.instance) state.session.instance = status.instance
      changed('cluster')
    },

    refused(refusal) {
      console.warn('refused:', refusal.event, refusal.code, refusal.message)
    },

    replaced() {
      state.link.replaced = true
    },
  }

  function expireTyping(room) {
    for (const [name, until] of room.typing) {
      if (until <= Date.now()) stopTyping(room, name)
    }
  }

  return (name, args) => {
    // Every event that the log orders ends in the id of its entry, a string; all others end in something else.
    const last = args.at(-1)
    if (args.length >= 2 && typeof last === 'string') state.offset = last
    if (Object.hasOwn(events, name)) events[name](...args)
  }
}
