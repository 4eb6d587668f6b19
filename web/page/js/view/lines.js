// The conversation of the room shown. Only the last lines are made into elements, and older ones as the reader comes near
// them, from memory or from the server. Finished blocks of lines have a known height and content-visibility, so what
// is out of sight costs nothing. The list follows the end only while it is there; anything else leaves what is on the
// screen exactly where it is.

import { h, keyed, setText } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { t, explain } from '../i18n.js'
import { addressOfRoom } from '../actions.js'
import { lineElement, entryElement, updateEntry } from './line.js'

const perBlock = 40 // lines
const atFirst = 80 // lines drawn when a room is shown
const mostFollowed = 640 // lines kept as elements while following the end
const near = 24 // px from the end that still count as being there

export function createLines({ scroller, jump, actions }) {
  const older = h('div', { class: 'older' })
  const body = h('div', { class: 'blocks' })
  const tail = h('div', { class: 'tail' })
  scroller.append(older, body, tail)

  let room = null
  let epoch = -1
  let top = 0 // n of the first line drawn
  let end = 0 // n after the last line drawn
  let following = true
  let fresh = 0 // messages below that have not been seen
  let width = 0
  let anchored = null // what restore has put in its place, and the scrollTop that did
  let at = 0 // scrollTop when last looked at

  const lineAt = (n) => room.lines[n - room.lines[0].n]
  const first = () => (room.lines.length > 0 ? room.lines[0].n : 0)
  const past = () => (room.lines.length > 0 ? room.lines.at(-1).n + 1 : 0)

  function draw() {
    const wanted = state.rooms.get(state.room)
    if (!wanted) return
    const changedRoom = wanted !== room
    if (changedRoom || wanted.epoch !== epoch || top < first()) rebuild(wanted, changedRoom)
    else append()
    drawTail()
    drawOlder()
    if (following) toEnd()
    else drawJump()
    if (scroller.scrollTop < scroller.clientHeight) showOlder()
  }

  // rebuild draws a room anew, at its end, or where the reader was if he was reading further up.
  function rebuild(wanted, changedRoom) {
    const anchor = changedRoom || following ? null : anchorLine()
    room = wanted
    epoch = room.epoch
    if (changedRoom || !anchor) {
      following = true
      fresh = 0
    }
    end = past()
    top = Math.max(first(), anchor ? Math.min(topOf(anchor.id), end - atFirst) : end - atFirst)
    body.replaceChildren(...blocksOf(top, end))
    if (anchor) restore(anchor)
  }

  function topOf(id) {
    const at = room.lines.findIndex((line) => line.id === id)
    return at < 0 ? Infinity : room.lines[at].n - 20
  }

  function blocksOf(from, to) {
    const blocks = []
    for (let n = from; n < to; n += perBlock) blocks.push(block(n, Math.min(n + perBlock, to)))
    return blocks
  }

  function block(from, to) {
    const element = h('div', { class: 'block' })
    for (let n = from; n < to; n++) element.append(elementOf(n))
    return element
  }

  function elementOf(n) {
    return lineElement(lineAt(n), n > first() ? lineAt(n - 1) : undefined, room.name)
  }

  function append() {
    const to = past()
    let last = body.lastElementChild
    for (; end < to; end++) {
      if (!last || last.childElementCount >= perBlock) {
        last = h('div', { class: 'block' })
        body.append(last)
      }
      last.append(elementOf(end))
      const line = lineAt(end)
      if (!following && line.kind === 'message' && !line.own) fresh++
    }
    if (following) prune()
  }

  // prune forgets the elements far above the end; they are drawn again when the reader goes there.
  function prune() {
    while (end - top > mostFollowed) {
      top += body.firstElementChild.childElementCount
      body.firstElementChild.remove()
    }
  }

  // showOlder draws lines further up, or asks for them.
  function showOlder() {
    if (top > first()) {
      prepend(Math.max(first(), top - atFirst))
      drawOlder()
    } else if (room.more && !room.loading && state.link.phase === 'online') actions.older(room)
  }

  function prepend(from) {
    const anchor = anchorLine()
    const boundary = body.querySelector('.block > *')
    const blocks = blocksOf(from, top)
    if (boundary) boundary.replaceWith(elementOf(top)) // what stands before it is known now
    body.prepend(...blocks)
    top = from
    if (following) toEnd()
    else restore(anchor)
  }

  // anchorLine is the first text that can be seen from its beginning, and where it is. The text, not its line: what stands
  // above it, an author's name or a day, goes when older lines are drawn before it.
  function anchorLine() {
    // Scrolling goes by whole pixels, lines don't. What was put in its place is not measured again while it stays there:
    // errors would add up.
    if (anchored && anchored.top === scroller.scrollTop && textOf(anchored)) return anchored
    const edge = scroller.getBoundingClientRect().top
    for (const element of body.children) {
      if (element.getBoundingClientRect().bottom <= edge) continue
      for (const text of element.querySelectorAll('.text, .notice')) {
        const at = text.getBoundingClientRect().top
        if (at >= edge) return { text, at: at - edge, id: text.closest('[data-id]')?.dataset.id }
      }
    }
    return null
  }

  function restore(anchor) {
    const text = anchor && textOf(anchor)
    if (!text) return
    scroller.scrollTop += text.getBoundingClientRect().top - scroller.getBoundingClientRect().top - anchor.at
    at = scroller.scrollTop
    anchored = { ...anchor, text, top: at }
  }

  // textOf finds the text of an anchor, which may have been drawn anew.
  function textOf({ text, id }) {
    if (text.isConnected) return text
    const line = id === undefined ? null : body.querySelector(`[data-id="${CSS.escape(id)}"]`)
    return line?.querySelector('.text') ?? line
  }

  // settle gives blocks that will not change any more their height, so that the browser may skip what is in them.
  function settle() {
    const open = [...body.querySelectorAll('.block:not(.settled)')].filter((element) => element !== body.lastElementChild)
    const heights = open.map((element) => element.getBoundingClientRect().height)
    open.forEach((element, i) => {
      element.style.setProperty('--height', heights[i] + 'px')
      element.classList.add('settled')
    })
  }

  function resized() {
    if (scroller.clientWidth !== width) {
      width = scroller.clientWidth
      const anchor = following ? null : anchorLine()
      for (const element of body.querySelectorAll('.settled')) element.classList.remove('settled')
      restore(anchor)
      settle()
    }
    if (following) toEnd()
  }

  function drawTail() {
    const waiting = state.outbox.filter((entry) => entry.room === room.name)
    const lines = [...room.provisional.values()]
    const items = [...lines, ...waiting]
    let before = end > first() ? lineAt(end - 1) : undefined
    const befores = new Map()
    for (const item of items) {
      befores.set(item, before)
      before = item.cid ? { kind: 'message', own: true, from: state.me.name || state.me.wish, time: item.time } : item
    }
    const key = (item) => (item.cid ?? 'provisional ' + item.provisional) + ' ' + state.settings.language
    const make = (item) => (item.cid ? entryElement(item, befores.get(item), actions) : lineElement(item, befores.get(item), room.name))
    keyed(tail, items, key, make, (element, item) => item.cid && updateEntry(element, item))
  }

  function drawOlder() {
    const isEmpty = !room.more && !room.lines.some((line) => line.kind === 'message') && state.outbox.every((entry) => entry.room !== room.name)
    let kind = 'more'
    if (room.refusal) kind = 'refused'
    else if (room.loading) kind = 'loading'
    else if (isEmpty) kind = room.joined || !state.me.name ? 'empty' : 'joining'
    else if (top === first() && !room.more) kind = 'beginning'
    const drawn = [kind, room.name, room.refusal?.code, state.settings.language].join(' ')
    if (older.dataset.drawn === drawn) return
    older.dataset.drawn = drawn
    const anchor = following ? null : anchorLine()
    older.replaceChildren(...olderNodes(kind))
    restore(anchor)
  }

  function olderNodes(kind) {
    switch (kind) {
      case 'refused':
        return [h('div', { class: 'empty' }, h('h2', null, t('notHere')), h('p', null, explain(room.refusal)),
          room.name !== lobby && h('p', null, h('a', { href: addressOfRoom(lobby) }, t('backToLobby'))))]
      case 'empty': return [h('div', { class: 'empty' }, h('h2', null, t('emptyTitle')), h('p', null, t('emptyText', { room: room.name })))]
      case 'loading': return [h('p', { class: 'note' }, t('loadingOlder'))]
      case 'beginning': return [h('p', { class: 'note' }, t('beginning', { room: room.name }))]
      default: return []
    }
  }

  function drawJump() {
    jump.hidden = following
    if (!following) setText(jump, fresh > 0 ? t('fresh', { n: fresh }) : t('toEnd'))
    jump.classList.toggle('fresh', fresh > 0)
  }

  function toEnd() {
    following = true
    fresh = 0
    scroller.scrollTop = scroller.scrollHeight
    at = scroller.scrollTop
    drawJump()
  }

  function scrolled() {
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= near
    // The end moves away by itself when the window shrinks or lines grow; only who scrolls up leaves it.
    if (following && !isAtEnd && scroller.scrollTop >= at) toEnd()
    else if (isAtEnd !== following) {
      following = isAtEnd
      if (isAtEnd) fresh = 0
      drawJump()
    }
    at = scroller.scrollTop
    if (scroller.scrollTop < scroller.clientHeight) showOlder()
    idle()
  }

  let idleTimer = 0
  function idle() {
    if (!idleTimer) idleTimer = setTimeout(() => { idleTimer = 0; settle() }, 200)
  }

  scroller.addEventListener('scroll', scrolled, { passive: true })
  jump.addEventListener('click', () => {
    toEnd()
    prune()
    toEnd()
    document.getElementById('message').focus()
  })
  new ResizeObserver(resized).observe(scroller)
  watch(['lines', 'room', 'outbox', 'link', 'me'], () => { draw(); idle() })
  watch(['settings'], () => { epoch = -1; draw() })
  setInterval(() => state.outbox.length > 0 && room && drawTail(), 500)
}
