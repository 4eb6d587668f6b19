// What the lines of a conversation say and how they are grouped.

import { state, lobby } from './state.js'
import { calendar } from './calendar.js'
import { now } from './clock.js'
import { t, explain } from './i18n.js'

/** @import { Line } from './rooms.js' */
/** @import { OutboxEntry } from './outbox.js' */

const groupFor = 5 * 60000 // ms within which messages of one author are grouped under one name
const slowAfter = 1500 // ms after which a message waits for the log rather than for the connection

/**
 * Reports whether a line begins a group: it has another author or kind than the line before, or
 * comes much later.
 *
 * @param {Line} line
 * @param {Line} [before]
 */
export function startsGroup(line, before) {
  return !before || before.kind !== 'message' || before.from !== line.from ||
    Boolean(before.own) !== Boolean(line.own) || line.time - before.time > groupFor || startsDay(line, before)
}

/**
 * @param {Line} line
 * @param {Line} [before]
 */
export function startsDay(line, before) {
  return !before || calendar.dayOf(before.time) !== calendar.dayOf(line.time)
}

/**
 * Returns a notice in the reader's language. One of an unknown kind keeps the text that the server
 * wrote.
 *
 * @param {Line} line
 * @param {string} room the name of the line's room
 */
export function noticeText(line, room) {
  if (line.kind === 'rename') return t('renamed', { was: line.was ?? '', nick: line.from })
  if (!line.from || (line.kind !== 'join' && line.kind !== 'leave')) return line.text
  const inLobby = room === lobby
  const key = line.kind === 'join' ? (inLobby ? 'joined' : 'joinedRoom') : inLobby ? 'left' : 'leftRoom'
  const others = (line.names?.length ?? 1) - 1
  if (others === 0) return t(key, { nick: line.from })
  if (others === 1) return t(key + 'Two', { nick: line.from, other: line.names?.[1] })
  return t(key + 'Many', { nick: line.from, n: others })
}

/**
 * Says how the sending of a message stands.
 *
 * @param {OutboxEntry} entry
 */
export function statusText(entry) {
  if (entry.status === 'failed') return `${t('notSent')}: ${explain(entry.refusal ?? { code: 'unknown' })}`
  const wait = entry.until - now()
  if (wait > 0) {
    if (entry.refusal?.code === 'too_fast') return t('waitTurn', { n: Math.ceil(wait / 1000) })
    return explain({ ...entry.refusal, code: entry.refusal?.code ?? 'unknown', wait })
  }
  if (state.link.phase !== 'online') return t('waitingToSend')
  return now() - (entry.startedAt ?? now()) > slowAfter ? t('slow') : t('sending')
}
