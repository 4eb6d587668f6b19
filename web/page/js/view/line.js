// One line of the conversation as an element: a message, somebody coming or going, the beginning of a day.

import { h } from '../dom.js'
import { state, lobby } from '../state.js'
import { format, hue, firstGrapheme, isEmoji } from '../text.js'
import { t, clockTime, fullTime, dayOf, milliseconds, explain } from '../i18n.js'

const groupFor = 5 * 60000 // ms within which messages of one author stand under one name

// heads tells whether line begins a group: another author or kind than before, or a while later.
export function heads(line, before) {
  return !before || before.kind !== 'message' || before.from !== line.from || Boolean(before.own) !== Boolean(line.own) ||
    line.time - before.time > groupFor || newDay(line, before)
}

export function newDay(line, before) {
  return !before || new Date(before.time).toDateString() !== new Date(line.time).toDateString()
}

// lineElement draws a line that follows before. roomName tells how coming and going is called there.
export function lineElement(line, before, roomName) {
  const element = line.kind === 'message' ? message(line, heads(line, before)) : notice(line, roomName)
  if (!newDay(line, before)) return element
  return h('div', { class: 'day-and-line' }, dayElement(line.time), element)
}

function dayElement(time) {
  return h('p', { class: 'day' }, h('span', null, dayOf(time)))
}

function message(line, isHead) {
  const name = line.own ? t('me') : line.from
  const attributes = {
    class: 'message' + (isHead ? ' head' : '') + (line.own ? ' own' : '') + (line.provisional ? ' provisional' : ''),
    'data-id': line.id,
    '--hue': hue(line.from ?? ''),
  }
  return h('div', attributes,
    isHead && h('span', { class: 'avatar', 'aria-hidden': 'true' }, firstGrapheme(line.from ?? '')),
    isHead && h('p', { class: 'author' }, h('b', null, h('bdi', null, name)), ' ', timeElement(line)),
    h('div', { class: 'text' + (isEmoji(line.text) ? ' emoji' : ''), dir: 'auto' }, ...format(line.text)),
    !isHead && timeElement(line),
    line.own && line.id && h('span', { class: 'mark-sent', title: sentTitle(line) }, h('span', { class: 'hidden' }, t('sent'))),
    line.provisional && h('p', { class: 'line-state' }, t('provisional')))
}

function sentTitle(line) {
  return line.hops ? t('sentIn', { ms: milliseconds(line.hops.log) }) : t('sent')
}

function timeElement({ time, instance }) {
  const title = instance ? `${fullTime(time)} · ${instance}` : fullTime(time)
  return h('time', { datetime: new Date(time).toISOString(), title }, clockTime(time))
}

// noticeText says in the reader's language what happened, or repeats what the server wrote if it is not known.
export function noticeText(line, roomName) {
  const texts = roomName === lobby ? { join: 'joined', leave: 'left' } : { join: 'joinedRoom', leave: 'leftRoom' }
  if (line.kind === 'rename') return t('renamed', { was: line.was ?? '', nick: line.from })
  const text = texts[line.kind]
  if (!line.from || !text) return line.text
  const others = (line.names?.length ?? 1) - 1
  if (others === 0) return t(text, { nick: line.from })
  return others === 1 ? t(text + 'Two', { nick: line.from, other: line.names[1] }) : t(text + 'Many', { nick: line.from, n: others })
}

const namesShown = 100 // of a crowd, where the pointer rests on it

function notice(line, roomName) {
  const names = line.names?.length > 1 ? line.names.slice(0, namesShown).join(', ') : undefined
  return h('p', { class: 'notice', 'data-id': line.id, title: names }, h('bdi', null, noticeText(line, roomName)), ' ', timeElement(line))
}

// entryElement draws a message of the outbox; updateEntry tells how it stands.
export function entryElement(entry, before, actions) {
  const line = { kind: 'message', time: entry.time, from: state.me.name || state.me.wish, text: entry.text, own: true }
  const element = lineElement(line, before, entry.room)
  const body = element.classList.contains('message') ? element : element.querySelector('.message')
  body.append(h('p', { class: 'line-state' }, h('span', { class: 'why' }),
    h('span', { class: 'line-actions' },
      h('button', { type: 'button', class: 'quiet', onclick: () => actions.retry(entry.cid) }, t('retry')),
      h('button', { type: 'button', class: 'quiet', onclick: () => actions.takeBack(entry.cid) }, t('discard')))))
  element.dataset.cid = entry.cid
  return element
}

export function updateEntry(element, entry) {
  const body = element.classList.contains('message') ? element : element.querySelector('.message')
  const failed = entry.status === 'failed'
  body.classList.toggle('failed', failed)
  body.classList.toggle('pending', !failed)
  element.dataset.status = entry.status
  const why = body.querySelector('.why')
  const text = standing(entry)
  if (why.textContent !== text) why.textContent = text
  body.querySelector('.line-actions').hidden = !failed
}

function standing(entry) {
  if (entry.status === 'failed') return `${t('notSent')}: ${explain(entry.refusal)}`
  const wait = Math.ceil((entry.until - Date.now()) / 1000)
  if (wait > 0) return entry.refusal?.code === 'too_fast' ? t('waitTurn', { n: wait }) : explain({ ...entry.refusal, wait: entry.until - Date.now() })
  if (state.link.phase !== 'online') return t('waitingToSend')
  return Date.now() - entry.time > 1500 ? t('slow') : t('sending')
}
