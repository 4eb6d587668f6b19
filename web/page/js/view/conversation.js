// The conversation of the room on the screen. Only its last lines are elements; older ones are
// drawn as the reader comes near them, from memory or from the server. A block that does not change
// any more has a known height and the property content-visibility, so the browser skips it while it
// is out of sight. The list follows its end only while the reader is there; any other change leaves
// what is on the screen exactly where it is.

import { closest, h, keyed, setText, elements, find } from '../dom.js'
import { state, watch, lobby } from '../state.js'
import { calendar } from '../calendar.js'
import { t, explain, dayName } from '../i18n.js'
import { hashOfRoom } from '../address.js'
import { numberOfLine } from '../rooms.js'
import { continuesRun, isComing } from '../coming.js'
import { foldRun } from './runs.js'
import { lineElement, entryElement, updateEntry, lineOfEntry } from './line.js'

/** @import { Actions } from '../actions.js' */
/** @import { OutboxEntry } from '../outbox.js' */
/** @import { Line, Room } from '../rooms.js' */

const blockSize = 40 // lines
const linesAtOnce = 80 // drawn when a room is shown, and whenever older ones are needed
const linesAbove = 20 // drawn above the reader's place when a room is drawn again
const mostFollowed = 640 // lines kept as elements while the list follows its end
const endMargin = 24 // px from the end that still count as the end
const measureDelay = 200 // ms
const statusEvery = 500 // ms between two updates of how messages are being sent
const targetFor = 4000 // ms for which the message that the address names is marked
const dayEvery = 60000 // ms between two looks at the calendar

/**
 * A text that stays in its place while other elements change. at is its distance from the top of
 * the view, top the scrollTop that was set for it.
 * @typedef {{ text: Element, at: number, id?: string, top?: number }} Anchor
 */

/**
 * @param {object} options
 * @param {HTMLElement} options.scroller
 * @param {HTMLElement} options.jump
 * @param {HTMLElement} options.message
 * @param {Pick<Actions, 'loadOlder' | 'retry'>} options.actions
 * @param {(cid: string) => void} options.edit
 * @param {(text: string) => void} options.announce
 */
export function createConversation({ scroller, jump, message, actions, edit, announce }) {
  const older = h('div', { class: 'older' })
  const body = h('div', { class: 'blocks', role: 'feed' })
  const tail = h('div', { class: 'tail' })
  scroller.append(older, body, tail)

  /** @type {Room | null} */
  let room = null
  let epoch = -1
  let top = 0 // number of the first line drawn
  let end = 0 // number after the last line drawn
  let following = true
  let newBelow = 0 // messages below that the reader has not seen
  let width = 0
  let height = 0 // of the view when the end was last scrolled to
  /** @type {Anchor | null} */
  let lastAnchor = null
  let lastScrollTop = 0

  /**
   * Reports whether the log has one line before another.
   *
   * @param {string} id
   * @param {string} [than]
   */
  const isOlder = (id, than = '') =>
    parseInt(id.split('.')[1], 36) < parseInt(than.split('.')[1], 36)

  /** @param {Room} of */
  const first = (of) => numberOfLine(of.lines[0])
  /** @param {Room} of */
  const past = (of) => (of.lines.length > 0 ? numberOfLine(of.lines.at(-1)) + 1 : 0)
  /**
   * @param {Room} of
   * @param {number} n
   */
  const lineAt = (of, n) => of.lines[n - first(of)]

  function draw() {
    const wanted = state.rooms.get(state.room)
    if (!wanted) return
    const isOther = wanted !== room
    // Most of so many lines would be removed again at once.
    const isFlooded = following && past(wanted) - end > mostFollowed && !hasSelection()
    if (isOther || wanted.epoch !== epoch || top < first(wanted) || isFlooded)
      rebuild(wanted, isOther)
    else append(wanted)
    drawTail(wanted)
    drawOlder(wanted)
    if (state.wantedLine?.room === wanted.name) seek(wanted, state.wantedLine.id)
    if (following && !hasSelection()) toEnd()
    else drawJump()
    if (scroller.scrollTop < scroller.clientHeight) showOlder(wanted)
  }

  /**
   * Shows a message, and asks for older lines as long as it is among them.
   *
   * @param {Room} of
   * @param {string} id
   */
  function seek(of, id) {
    const at = of.lines.findIndex((line) => line.id === id)
    if (at >= 0) showLine(of, first(of) + at)
    else if (of.lines.length === 0 || of.loading) return
    else if (of.more && isOlder(id, of.lines[0].id)) {
      if (state.link.phase === 'online') actions.loadOlder(of)
      return
    } else announce(t('lineGone'))
    state.wantedLine = null
  }

  /**
   * Draws the lines around one and puts it into the view.
   *
   * @param {Room} of
   * @param {number} n
   */
  function showLine(of, n) {
    following = false
    lastAnchor = null
    end = past(of)
    top = Math.max(first(of), n - linesAbove)
    body.replaceChildren(...blocks(of, top, end))
    fold(of, top, end)
    const [line] = elements([drawnElement(n) ?? body])
    line.classList.add('target')
    setTimeout(() => line.classList.remove('target'), targetFor)
    const at = line.getBoundingClientRect().top - scroller.getBoundingClientRect().top
    scroller.scrollTop += at - scroller.clientHeight / 3
    lastScrollTop = scroller.scrollTop
  }

  /**
   * Draws all of a room again: at its end, or at the reader's place if the reader was further up in
   * this room.
   *
   * @param {Room} wanted
   * @param {boolean} isOther whether another room was shown before
   */
  function rebuild(wanted, isOther) {
    const anchor = isOther || following ? null : findAnchor()
    if (room) room.reading = false
    room = wanted
    epoch = wanted.epoch
    if (isOther || !anchor) {
      following = true
      newBelow = 0
    }
    end = past(wanted)
    const place = anchor ? numberOf(wanted, anchor.id) - linesAbove : Infinity
    top = Math.max(first(wanted), Math.min(place, end - linesAtOnce))
    body.replaceChildren(...blocks(wanted, top, end))
    fold(wanted, top, end)
    if (anchor) restore(anchor)
  }

  /**
   * @param {Room} of
   * @param {string | undefined} id
   */
  function numberOf(of, id) {
    const line = of.lines.find((other) => other.id === id)
    return line ? numberOfLine(line) : Infinity
  }

  /**
   * @param {Room} of
   * @param {number} from
   * @param {number} to
   */
  function blocks(of, from, to) {
    const made = []
    for (let n = from; n < to; n += blockSize) made.push(block(of, n, Math.min(n + blockSize, to)))
    return made
  }

  /**
   * @param {Room} of
   * @param {number} from
   * @param {number} to
   */
  function block(of, from, to) {
    const element = h('div', { class: 'block' })
    for (let n = from; n < to; n++) element.append(elementOf(of, n))
    return element
  }

  /**
   * @param {Room} of
   * @param {number} n
   */
  function elementOf(of, n) {
    const before = n > first(of) ? lineAt(of, n - 1) : undefined
    const line = lineAt(of, n)
    const isNew = Boolean(of.marker) && line.id === of.marker
    return lineElement(line, { before, spoken: spokenBefore(of, n), room: of.name, isNew })
  }

  /**
   * Returns the last line before another one that is not about coming and going.
   *
   * @param {Room} of
   * @param {number} n
   */
  function spokenBefore(of, n) {
    let at = n - 1
    while (at > first(of) && isComing(lineAt(of, at))) at--
    return at >= first(of) ? lineAt(of, at) : undefined
  }

  /**
   * Returns the element of a line that is drawn.
   *
   * @param {number} n
   */
  function drawnElement(n) {
    let at = n - top
    for (const { children } of body.children) {
      if (at < children.length) return children[at]
      at -= children.length
    }
    return null
  }

  /**
   * Folds the runs of coming and going that reach into a range of drawn lines.
   *
   * @param {Room} of
   * @param {number} from
   * @param {number} to
   */
  function fold(of, from, to) {
    /** @param {number} n */
    const goesOn = (n) => n > first(of) && n < end && continuesRun(lineAt(of, n), lineAt(of, n - 1))
    for (let n = from; n < to || goesOn(n); n++) {
      if (goesOn(n + 1) || !goesOn(n)) continue
      let start = n
      while (goesOn(start)) start--
      const last = drawnElement(n)
      if (last) foldRun(of.lines.slice(start - first(of), n + 1 - first(of)), last, of.name)
    }
  }

  /** @param {Room} to */
  function append(to) {
    const wanted = past(to)
    const from = end
    let last = body.lastElementChild
    for (; end < wanted; end++) {
      if (!last || last.childElementCount >= blockSize) {
        last = h('div', { class: 'block' })
        body.append(last)
      }
      last.append(elementOf(to, end))
      const line = lineAt(to, end)
      if (!following && line.kind === 'message' && !line.own) newBelow++
    }
    fold(to, from, end)
    if (following && !hasSelection()) prune()
  }

  /** Reports whether the reader has selected text here: it must stay where it is. */
  function hasSelection() {
    const selection = getSelection()
    return selection !== null && !selection.isCollapsed && scroller.contains(selection.anchorNode)
  }

  /**
   * Removes the elements far above the end. They are drawn again when the reader comes near them.
   */
  function prune() {
    while (end - top > mostFollowed) {
      const oldest = body.firstElementChild
      if (!oldest) return
      top += oldest.childElementCount
      oldest.remove()
    }
  }

  /**
   * Draws older lines, or asks the server for them.
   *
   * @param {Room} of
   */
  function showOlder(of) {
    if (top > first(of)) {
      prepend(of, Math.max(first(of), top - linesAtOnce))
      drawOlder(of)
    } else if (of.more && !of.loading && state.link.phase === 'online') actions.loadOlder(of)
  }

  /**
   * @param {Room} to
   * @param {number} from
   */
  function prepend(to, from) {
    const anchor = findAnchor()
    // The first lines drawn were drawn without knowing the lines before them.
    for (let n = top; n < end; n++) {
      drawnElement(n)?.replaceWith(elementOf(to, n))
      if (!isComing(lineAt(to, n))) break
    }
    body.prepend(...blocks(to, from, top))
    const drawnBefore = top
    top = from
    fold(to, from, drawnBefore + 1)
    if (following) toEnd()
    else restore(anchor)
  }

  /**
   * Returns the first text whose beginning is in view. It is the text and not its line, because
   * what stands above the text, an author's name or a day, goes away when older lines are drawn
   * before it.
   *
   * @returns {Anchor | null}
   */
  function findAnchor() {
    // Scrolling goes by whole pixels, but lines are not whole pixels high. An anchor that was put
    // into its place is not measured again while it stays there, because the errors would add up.
    if (lastAnchor && lastAnchor.top === scroller.scrollTop && textOf(lastAnchor)) return lastAnchor
    const edge = scroller.getBoundingClientRect().top
    for (const element of body.children) {
      if (element.getBoundingClientRect().bottom <= edge) continue
      for (const text of element.querySelectorAll('.text, .notice:not([hidden])')) {
        const at = text.getBoundingClientRect().top
        const [line] = elements([text.closest('[data-id]') ?? text])
        if (at >= edge) return { text, at: at - edge, id: line.dataset.id }
      }
    }
    return null
  }

  /** @param {Anchor | null} anchor */
  function restore(anchor) {
    const text = anchor && textOf(anchor)
    if (!text) return
    const at = text.getBoundingClientRect().top - scroller.getBoundingClientRect().top
    scroller.scrollTop += at - anchor.at
    lastScrollTop = scroller.scrollTop
    lastAnchor = { ...anchor, text, top: lastScrollTop }
  }

  /**
   * Returns the text of an anchor, which may have been drawn again.
   *
   * @param {Anchor} anchor
   */
  function textOf({ text, id }) {
    if (text.isConnected && text instanceof HTMLElement && !text.hidden) return text
    /** @param {string | undefined} wanted */
    const lineOf = (wanted) => (wanted === undefined ? undefined
      : elements(body.querySelectorAll(`[data-id="${CSS.escape(wanted)}"]`))[0])
    let line = lineOf(id)
    while (line?.hidden) line = lineOf(line.dataset.in)
    return line?.querySelector('.text') ?? line
  }

  /** Fixes the height of the blocks that do not change any more. */
  function fixHeights() {
    const last = body.lastElementChild
    const open = elements(body.querySelectorAll('.block:not(.fixed)'))
      .filter((element) => element !== last)
    const heights = open.map((element) => element.getBoundingClientRect().height)
    open.forEach((element, i) => {
      element.style.setProperty('--height', heights[i] + 'px')
      element.classList.add('fixed')
    })
  }

  function resized() {
    if (scroller.clientWidth !== width) {
      width = scroller.clientWidth
      const anchor = following ? null : findAnchor()
      for (const element of body.querySelectorAll('.fixed')) element.classList.remove('fixed')
      restore(anchor)
      fixHeights()
    }
    if (following) toEnd()
  }

  /**
   * Draws the messages that are not in the log: the provisional ones of others, and those in the
   * outbox.
   *
   * @param {Room} of
   */
  function drawTail(of) {
    /** @type {{ key: string, line: Line, entry?: OutboxEntry, before?: Line, spoken?: Line }[]} */
    const items = []
    for (const [key, line] of of.provisional) items.push({ key: 'provisional ' + key, line })
    for (const entry of state.outbox) {
      if (entry.room === of.name) items.push({ key: entry.cid, line: lineOfEntry(entry), entry })
    }
    let before = end > first(of) ? lineAt(of, end - 1) : undefined
    let spoken = spokenBefore(of, end)
    for (const item of items) {
      Object.assign(item, { before, spoken })
      before = spoken = item.line
    }
    keyed(tail, items, ({ key }) => key + ' ' + state.settings.language,
      ({ line, entry, ...where }) => (entry
        ? entryElement(entry, { ...where, room: of.name }, { retry: actions.retry, edit })
        : lineElement(line, { ...where, room: of.name })),
      (element, { entry }) => { if (entry) updateEntry(element, entry) })
  }

  /**
   * Draws what stands above the first line.
   *
   * @param {Room} of
   */
  function drawOlder(of) {
    const kind = kindOfOlder(of)
    const drawn = [kind, of.name, of.refusal?.code, state.settings.language].join(' ')
    if (older.dataset.drawn === drawn) return
    older.dataset.drawn = drawn
    const anchor = following ? null : findAnchor()
    older.replaceChildren(...olderNodes(of, kind))
    restore(anchor)
  }

  /** @param {Room} of */
  function kindOfOlder(of) {
    const isEmpty = !of.more && !of.dropped && !of.lines.some((line) => line.kind === 'message') &&
      state.outbox.every((entry) => entry.room !== of.name)
    if (of.refusal) return 'refused'
    if (of.loading) return 'loading'
    if (isEmpty) return of.joined || !state.me.name ? 'empty' : 'joining'
    if (top > first(of) || of.more) return 'more'
    return of.dropped ? 'dropped' : 'beginning'
  }

  /**
   * @param {Room} of
   * @param {ReturnType<typeof kindOfOlder>} kind
   */
  function olderNodes(of, kind) {
    const { name } = of
    switch (kind) {
      case 'refused':
        return [h('div', { class: 'empty' },
          h('h2', null, t('notHere')), h('p', null, explain(of.refusal ?? { code: 'unknown' })),
          name !== lobby && h('p', null, h('a', { href: hashOfRoom(lobby) }, t('backToLobby'))))]
      case 'empty':
        return [h('div', { class: 'empty' },
          h('h2', null, t('emptyTitle')), h('p', null, t('emptyText', { room: name })))]
      case 'loading': return [h('p', { class: 'note' }, t('loadingOlder'))]
      case 'dropped': return [h('p', { class: 'note' }, t('dropped'))]
      case 'beginning': return [h('p', { class: 'note' }, t('beginning', { room: name }))]
      default: return []
    }
  }

  function drawJump() {
    if (room) room.reading = !following
    jump.hidden = following
    if (!following) setText(jump, newBelow > 0 ? t('newMessages', { n: newBelow }) : t('toEnd'))
    jump.classList.toggle('fresh', newBelow > 0)
  }

  function toEnd() {
    following = true
    newBelow = 0
    scroller.scrollTop = scroller.scrollHeight
    lastScrollTop = scroller.scrollTop
    height = scroller.clientHeight
    drawJump()
  }

  function scrolled() {
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= endMargin
    // The end also moves away when the view shrinks or lines grow, and a view that grew first has
    // moved up by itself. The reader leaves the end only by scrolling up.
    const resizes = scroller.clientHeight !== height
    if (following && !isAtEnd && (resizes || scroller.scrollTop >= lastScrollTop)) toEnd()
    else if (isAtEnd !== following) {
      following = isAtEnd
      if (isAtEnd) newBelow = 0
      drawJump()
    }
    lastScrollTop = scroller.scrollTop
    if (room && scroller.scrollTop < scroller.clientHeight) showOlder(room)
    fixHeightsLater()
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let measuring
  function fixHeightsLater() {
    measuring ??= setTimeout(() => {
      measuring = undefined
      fixHeights()
    }, measureDelay)
  }

  let today = calendar.dayOf(Date.now())

  /** Names the days again once another one has begun. */
  function nameDays() {
    const day = calendar.dayOf(Date.now())
    if (day === today) return
    today = day
    for (const element of elements(scroller.querySelectorAll('.day'))) {
      setText(find(element, 'span'), dayName(Number(element.dataset.time)))
    }
  }

  scroller.addEventListener('scroll', scrolled, { passive: true })
  scroller.addEventListener('click', (event) => {
    const button = closest(event.target, '.unfold')
    const text = button?.closest('.message')?.querySelector('.text')
    if (!button || !text) return
    const isFolded = text.classList.toggle('folded')
    button.closest('.block')?.classList.remove('fixed')
    button.setAttribute('aria-expanded', String(!isFolded))
    setText(button, t(isFolded ? 'unfold' : 'foldAgain'))
  })
  jump.addEventListener('click', () => {
    toEnd()
    prune()
    toEnd()
    message.focus()
  })
  new ResizeObserver(resized).observe(scroller)
  watch(['lines', 'room', 'outbox', 'link', 'me'], () => {
    draw()
    fixHeightsLater()
  })
  watch(['settings'], () => {
    epoch = -1
    draw()
  })
  document.addEventListener('visibilitychange', nameDays)
  setInterval(nameDays, dayEvery)
  setInterval(() => { if (state.outbox.length > 0 && room) drawTail(room) }, statusEvery)
}
