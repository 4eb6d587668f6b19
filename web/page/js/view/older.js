// The place above the first line of a room: it says that this is the beginning, that older lines
// are being loaded, or why there are none.

import { h } from '../dom.js'
import { state, lobby } from '../state.js'
import { t, explain } from '../i18n.js'
import { hashOfRoom } from '../address.js'

/** @import { Room } from '../rooms.js' */

/**
 * Returns what stands above the first line of a room.
 *
 * @param {Room} of
 * @param {boolean} isFirstDrawn whether the first line is an element
 * @returns {'refused' | 'loading' | 'failed' | 'empty' | 'joining' | 'more' | 'dropped' |
 *   'beginning'}
 */
export function kindOfOlder(of, isFirstDrawn) {
  const isEmpty = !of.more && !of.dropped && !of.lines.some((line) => line.kind === 'message') &&
    state.outbox.every((entry) => entry.room !== of.name)
  if (of.refusal) return 'refused'
  if (of.loading) return 'loading'
  if (of.olderRefusal && isFirstDrawn) return 'failed'
  if (isEmpty) return of.joined || !state.me.name ? 'empty' : 'joining'
  if (!isFirstDrawn || of.more) return 'more'
  return of.dropped ? 'dropped' : 'beginning'
}

/**
 * @param {Room} of
 * @param {ReturnType<typeof kindOfOlder>} kind its kindOfOlder
 */
export function olderNodes(of, kind) {
  const { name } = of
  switch (kind) {
    case 'refused':
      return [h('div', { class: 'empty' },
        h('h2', null, t('notHere')), h('p', null, explain(of.refusal ?? { code: 'unknown' })),
        name !== lobby && h('p', null, h('a', { href: hashOfRoom(lobby) }, t('backToLobby'))))]
    case 'empty':
      return [h('div', { class: 'empty' },
        h('h2', null, t('emptyTitle')), h('p', null, t('emptyText', { room: name })))]
    case 'failed':
      return [h('p', { class: 'note' }, explain(of.olderRefusal ?? { code: 'unknown' }), ' ',
        h('button', { type: 'button', class: 'quiet older-again' }, t('start.retry')))]
    case 'loading': return [h('p', { class: 'note' }, t('loadingOlder'))]
    case 'dropped': return [h('p', { class: 'note' }, t('dropped'))]
    case 'beginning': return [h('p', { class: 'note' }, t('beginning', { room: name }))]
    default: return []
  }
}
