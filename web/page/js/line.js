// What the lines of a conversation say and how they are grouped.

import { state, lobby } from './state.js'
import { calendar } from './calendar.js'
import { now } from './clock.js'
import { isComing, outcomes } from './coming.js'
import { t, pieces, explain } from './i18n.js'

/** @import { Line } from './rooms.js' */
/** @import { Outcome } from './coming.js' */
/** @import { Piece } from './i18n.js' */
/** @import { OutboxEntry } from './outbox.js' */

const groupFor = 5 * 60000 // ms within which messages of one author are grouped under one name
const slowAfter = 1500 // ms after which a message waits for the log rather than for the connection

/**
 * Reports whether a message begins a group: it has another author or kind than the line before, or
 * comes much later. Coming and going in between is passed over: it leaves a group whole.
 *
 * @param {Line} line
 * @param {Line} [before]
 */
export function startsGroup(line, before) {
  return !before || before.kind !== 'message' || before.from !== line.from ||
    Boolean(before.own) !== Boolean(line.own) || line.time - before.time > groupFor ||
    startsDay(line, before)
}

/**
 * @param {Line} line
 * @param {Line} [before]
 */
export function startsDay(line, before) {
  return !before || calendar.dayOf(before.time) !== calendar.dayOf(line.time)
}

/**
 * Returns a notice in the reader's language, the names apart from its words. One of an unknown kind
 * keeps the text that the server wrote.
 *
 * @param {Line} line
 * @param {string} room the name of the line's room
 * @returns {Piece[]}
 */
export function noticePieces(line, room) {
  if (line.kind === 'rename') return pieces('renamed', { was: line.was ?? '', nick: line.from })
  if (line.kind === 'forgotten') return pieces('forgotten')
  return isComing(line) ? runPieces([line], room) : [line.text]
}

/**
 * Says in one sentence what a run of coming and going comes to.
 *
 * @param {Line[]} run
 * @param {string} room
 */
export function runPieces(run, room) {
  /** @type {Piece[]} */
  const said = []
  for (const [outcome, names] of outcomes(run)) {
    if (said.length > 0) said.push(' · ')
    said.push(...peoplePieces(outcome, names, room))
  }
  return said
}

/**
 * @param {Outcome} outcome
 * @param {string[]} names
 * @param {string} room
 */
function peoplePieces(outcome, names, room) {
  const [nick, other] = names
  const inRoom = room !== lobby && (outcome === 'joined' || outcome === 'left')
  const key = inRoom ? outcome + 'Room' : outcome
  if (names.length === 1) return pieces(key, { nick })
  if (names.length === 2) return pieces(key + 'Two', { nick, other })
  return pieces(key + 'Many', { nick, n: names.length - 1 })
}

/**
 * Says how the sending of a message stands.
 *
 * @param {OutboxEntry} entry
 */
export function statusText(entry) {
  if (entry.status === 'failed')
    return `${t('notSent')}: ${explain(entry.refusal ?? { code: 'unknown' })}`
  const wait = entry.until - now()
  if (wait > 0) {
    if (entry.refusal?.code === 'too_fast') return t('waitTurn', { n: Math.ceil(wait / 1000) })
    return explain({ ...entry.refusal, code: entry.refusal?.code ?? 'unknown', wait })
  }
  if (state.link.phase !== 'online') return t('waitingToSend')
  return now() - (entry.startedAt ?? now()) > slowAfter ? t('slow') : t('sending')
}
