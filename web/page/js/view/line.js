// The element of one line of the conversation: a message or a notice, with the day before it where
// a day begins. What others have chosen, a name or a text, never looks like the page's own words:
// names are in elements of their own, and own messages and notices have a form that no name has.

import { h, find } from '../dom.js'
import { state, lobby } from '../state.js'
import { hashOfLine, hashOfRoom } from '../address.js'
import { isComing } from '../coming.js'
import { actionOf } from '../commands.js'
import { noticePieces, startsDay, startsGroup, statusText } from '../line.js'
import { firstGrapheme, hue, isEmoji, parse } from '../text.js'
import { clockTime, dayName, fullTime, milliseconds, t } from '../i18n.js'

/** @import { Piece } from '../i18n.js' */
/** @import { OutboxEntry } from '../outbox.js' */
/** @import { Line } from '../rooms.js' */
/** @import { Segment } from '../text.js' */

const mostLines = 20 // of a text; more are folded
const longText = 2400 // characters that take about as much space
const piled = /\p{M}{3}/u // marks that may reach over the lines around
const mostNames = 100 // of a notice about many people, shown where the pointer rests

/** @typedef {{ retry: (cid: string) => void, edit: (cid: string) => void }} EntryActions */

/**
 * Where a line stands: before is the line before it, spoken the last one before it that is not
 * about coming and going. isNew: it is the first that is new to the user.
 * @typedef {{ before?: Line, spoken?: Line, room: string, isNew?: boolean }} Place
 */

/**
 * Makes names stand apart from the words around them, in their own direction.
 *
 * @param {Piece[]} pieces
 */
export const nodesOf = (pieces) => pieces.map((piece) => (
  typeof piece === 'string' ? piece : h('bdi', { class: 'who' }, piece.name)))

/**
 * Draws a line.
 *
 * @param {Line} line
 * @param {Place} place
 */
export function lineElement(line, { before, spoken, room, isNew }) {
  const isMessage = line.kind === 'message'
  const element = isMessage ? messageElement(line, isNew || startsGroup(line, spoken), room)
    : noticeElement(line, room)
  const isFirstOfDay = startsDay(line, before)
  const article = !isFirstOfDay && !isNew ? element : h('div', { class: 'day-and-line' },
    isFirstOfDay && h('h2', { class: 'day', 'data-time': line.time },
      h('span', null, dayName(line.time))),
    isNew && h('p', { class: 'new-since' }, h('span', null, t('newSince'))), element)
  article.setAttribute('role', 'article')
  if (line.own) article.setAttribute('aria-roledescription', t('yourMessage'))
  return article
}

/**
 * @param {Line} line
 * @param {boolean} withAuthor
 * @param {string} room
 */
function messageElement(line, withAuthor, room) {
  const { from, own, provisional } = line
  const action = actionOf(line.text)
  const classes = [
    'message', withAuthor && 'head', own && 'own', provisional && 'provisional', action && 'action',
  ]
  const isLong = line.text.split('\n', mostLines + 1).length > mostLines ||
    line.text.length > longText
  const textClasses = [
    'text', isEmoji(line.text) && 'emoji', isLong && 'folded', piled.test(line.text) && 'piled',
  ].filter(Boolean)
  const mark = h('span', { class: 'mark-sent', title: sentTitle(line) },
    h('span', { class: 'hidden' }, t('sent')))
  const properties = {
    class: classes.filter(Boolean).join(' '), 'data-id': line.id, '--hue': hue(from),
  }
  return h('div', properties,
    withAuthor && h('span', { class: 'avatar', 'aria-hidden': 'true' }, firstGrapheme(from)),
    withAuthor && h('p', { class: 'author' }, h('bdi', { class: 'who' }, from), ' ',
      timeLink(line, room)),
    h('div', { class: textClasses.join(' '), dir: 'auto' },
      action && [h('bdi', { class: 'who' }, from), ' '],
      parse(action ?? line.text).map(segmentNode)),
    isLong && h('button', { type: 'button', class: 'quiet unfold', 'aria-expanded': 'false' },
      t('unfold')),
    !withAuthor && timeLink(line, room),
    own && line.id && mark,
    provisional && h('p', { class: 'line-state' }, t('provisional')))
}

/**
 * @param {Segment} segment
 * @returns {Node | string}
 */
function segmentNode({ kind, text, label, room = '', parts }) {
  switch (kind) {
    case 'link': return linkNode(text)
    case 'room': return h('a', { href: hashOfRoom(room), class: 'room-link' }, h('bdi', null, text))
    case 'code': return h('code', null, text)
    case 'codeBlock':
      // The keyboard can scroll it. It is no region: landmarks of the same name are not told apart.
      return h('pre', {
        tabindex: '0', role: 'group', 'aria-label': label || t('code'), 'data-label': label,
        dir: 'ltr',
      }, h('code', null, text))
    case 'bold': return h('strong', null, parts?.map(segmentNode) ?? text)
    default: return text
  }
}

/**
 * Makes a link. One to this page leads to its room, and not to another tab.
 *
 * @param {string} address
 */
function linkNode(address) {
  const { origin, pathname, hash, hostname } = new URL(address)
  if (origin === location.origin && pathname === location.pathname) { // whatever the query says
    return h('a', { href: hash || hashOfRoom(lobby) }, address)
  }
  // Where letters of other scripts look like those of a well-known host, the name on the wire
  // differs.
  const title = address.toLowerCase().includes(hostname) ? undefined : hostname
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow', title },
    address)
}

/** @param {Line} line */
function sentTitle({ timing }) {
  return timing ? t('sentIn', { ms: milliseconds(timing.log) }) : t('sent')
}

/**
 * Makes the time of a message, which leads to the message.
 *
 * @param {Line} line
 * @param {string} room
 */
function timeLink(line, room) {
  const time = timeElement(line)
  return line.id ? h('a', { href: hashOfLine(room, line.id), class: 'at', tabindex: '-1' }, time)
    : time
}

/** @param {Line} line */
function timeElement({ time, instance }) {
  const title = instance ? `${fullTime(time)} · ${instance}` : fullTime(time)
  return h('time', { datetime: new Date(time).toISOString(), title }, clockTime(time))
}

/**
 * @param {Line} line
 * @param {string} room
 */
function noticeElement(line, room) {
  const attributes = { class: isComing(line) ? 'notice coming' : 'notice', 'data-kind': line.kind }
  return h('p', { ...attributes, 'data-id': line.id, title: titleOf(line.names) },
    h('span', { class: 'what' }, nodesOf(noticePieces(line, room))), ' ', timeElement(line))
}

/**
 * Returns the names of a notice about several people.
 *
 * @param {string[]} [names]
 */
export const titleOf = (names = []) =>
  (names.length > 1 ? names.slice(0, mostNames).join(', ') : undefined)

/**
 * Makes a line of a message that is still in the outbox.
 *
 * @param {OutboxEntry} entry
 * @returns {Line}
 */
export function lineOfEntry({ time, text }) {
  return { kind: 'message', time, from: state.me.name || state.me.requestedName, text, own: true }
}

/**
 * Draws a message of the outbox. updateEntry draws how its sending stands.
 *
 * @param {OutboxEntry} entry
 * @param {Place} place
 * @param {EntryActions} actions
 */
export function entryElement(entry, place, actions) {
  const element = lineElement(lineOfEntry(entry), place)
  messageOf(element).append(h('p', { class: 'line-state' }, h('span', { class: 'why' }),
    h('span', { class: 'line-actions' },
      h('button', { type: 'button', class: 'quiet', onclick: () => actions.retry(entry.cid) },
        t('retry')),
      h('button', { type: 'button', class: 'quiet', onclick: () => actions.edit(entry.cid) },
        t('discard')))))
  element.dataset.cid = entry.cid
  return element
}

/**
 * @param {HTMLElement} element made by entryElement
 * @param {OutboxEntry} entry
 */
export function updateEntry(element, entry) {
  const message = messageOf(element)
  const failed = entry.status === 'failed'
  message.classList.toggle('failed', failed)
  message.classList.toggle('pending', !failed)
  element.dataset.status = entry.status
  const why = find(message, '.why')
  const text = statusText(entry)
  if (why.textContent !== text) why.textContent = text
  find(message, '.line-actions').hidden = !failed
}

/** @param {HTMLElement} element */
const messageOf = (element) =>
  (element.classList.contains('message') ? element : find(element, '.message'))
