// The conversation of the room on the screen. Only lines around the reader's place are elements;
// others are drawn as the reader comes near them, from memory or, older ones, from the server. A
// block that does not change any more has a known height and the property content-visibility, so
// the browser skips it while it is out of sight. The list follows its end only while the reader is
// there; any other change leaves what is on the screen exactly where it is.

import { closest, h, keyed, setText, elements, find } from '../dom.js'
import { now } from '../clock.js'
import { state, watch } from '../state.js'
import { calendar } from '../calendar.js'
import { t, dayName } from '../i18n.js'
import { startsDay, startsGroup } from '../line.js'
import { firstNumber, lineAt, numberOfLine, pastNumber } from '../rooms.js'
import { createAnchors } from './anchor.js'
import { createDrawnLines, spokenBefore } from './drawn-lines.js'
import { lineElement, entryElement, updateEntry, lineOfEntry } from './line.js'
import { kindOfOlder, olderNodes } from './older.js'

/** @import { Actions } from '../actions.js' */
/** @import { Anchor } from './anchor.js' */
/** @import { OutboxEntry } from '../outbox.js' */
/** @import { Line, Room } from '../rooms.js' */

const linesAtOnce = 80 // drawn when a room is shown
const linesMore = 40 // drawn when the reader comes near them
const linesAbove = 20 // drawn above the reader's place when a room is drawn again
const endMargin = 24 // px from the end that still count as the end
const measureDelay = 200 // ms
const statusEvery = 500 // ms between two updates of how messages are being sent
const targetFor = 4000 // ms for which the message that the address names is marked
const seekingShownAfter = 400 // ms
const dayEvery = 60000 // ms between two looks at the calendar

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
  const drawn = createDrawnLines({ scroller, body })
  const anchors = createAnchors({ scroller, body })

  /** @type {Room | null} */
  let room = null
  let epoch = -1
  // number after the last line that was there at the last drawing; lines after it have arrived
  // since, and wait for the next one
  let known = 0
  let following = true
  let newBelow = 0 // messages below that the reader has not seen
  let width = 0
  let height = 0 // of the view when the end was last scrolled to
  let lastScrollTop = 0
  let soughtSince = Infinity // a message that is not loaded yet, as now() counts

  /**
   * Reports whether the log has one line before another.
   *
   * @param {string} id
   * @param {string} [than]
   */
  const isOlder = (id, than = '') =>
    parseInt(id.split('.')[1], 36) < parseInt(than.split('.')[1], 36)

  function draw() {
    const wanted = state.rooms.get(state.room)
    if (!wanted) return
    nameDays() // before a line of another day comes
    const isOther = wanted !== room
    // Most of so many lines would be removed again at once.
    const isFlooded = following && drawn.isFarFrom(pastNumber(wanted)) && !drawn.hasSelection()
    if (isOther || wanted.epoch !== epoch || drawn.top < firstNumber(wanted) || isFlooded)
      rebuild(wanted, isOther)
    else append(wanted)
    countNew(wanted)
    drawTail(wanted)
    drawOlder(wanted)
    if (state.wantedLine?.room === wanted.name) seek(wanted, state.wantedLine.id)
    if (!state.wantedLine) soughtSince = Infinity
    if (following && !drawn.hasSelection()) toEnd()
    else drawJump()
    showMore(wanted)
  }

  /**
   * Calls change, and leaves the focus in the conversation if what has it goes away.
   *
   * @param {() => void} change
   */
  function keepFocus(change) {
    const isInside = scroller.contains(document.activeElement)
    change()
    const { activeElement } = document
    if (isInside && (activeElement === document.body || !activeElement?.checkVisibility()))
      scroller.focus({ preventScroll: true })
  }

  /**
   * Shows a message, and asks for older lines as long as it is among them.
   *
   * @param {Room} of
   * @param {string} id
   */
  function seek(of, id) {
    const at = of.lines.findIndex((line) => line.id === id)
    if (at >= 0) showLine(of, firstNumber(of) + at)
    else if (of.lines.length === 0 || of.loading) return
    else if (of.more && !of.olderRefusal && isOlder(id, of.lines[0].id)) {
      if (soughtSince === Infinity) {
        soughtSince = now()
        setTimeout(() => {
          drawJump()
          if (soughtSince < Infinity) announce(t('loadingOlder'))
        }, seekingShownAfter + 10)
      }
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
    anchors.forget()
    const hasFocus = body.contains(document.activeElement)
    replaceLines(of, n - linesAbove)
    const [line] = elements([drawn.drawnElement(n) ?? body])
    if (hasFocus) elements(line.querySelectorAll('.at'))[0]?.focus({ preventScroll: true })
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
    const anchor = isOther || following ? null : anchors.find()
    if (room) room.reading = false
    room = wanted
    epoch = wanted.epoch
    if (isOther) soughtSince = Infinity
    if (isOther || !anchor) {
      following = true
      newBelow = 0
    }
    known = pastNumber(wanted)
    const place = anchor ? numberOf(wanted, anchor.id) - linesAbove : Infinity
    replaceLines(wanted, Math.min(place, pastNumber(wanted) - linesAtOnce))
    if (anchor) restore(anchor)
  }

  /**
   * Draws lines of a room in place of those that are drawn.
   *
   * @param {Room} of
   * @param {number} from the first one, if the room has it
   */
  function replaceLines(of, from) {
    const start = Math.max(firstNumber(of), from)
    drawn.replace(of, start, start + 2 * linesAtOnce)
    drawTail(of)
  }

  /** @param {Anchor | null} anchor */
  function restore(anchor) {
    if (anchors.restore(anchor)) lastScrollTop = scroller.scrollTop
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
   * Draws the lines that have arrived, if the last one before them is drawn. While the reader stays
   * above the end, no more are drawn than the view may hold.
   *
   * @param {Room} to
   */
  function append(to) {
    const follows = following && !drawn.hasSelection()
    if (drawn.end < known || (!follows && drawn.isFull())) return
    drawn.append(to, pastNumber(to))
    if (follows) drawn.prune()
  }

  /**
   * Counts the messages that have arrived below the reader's place.
   *
   * @param {Room} of
   */
  function countNew(of) {
    for (let n = Math.max(known, firstNumber(of)); !following && n < pastNumber(of); n++) {
      const line = lineAt(of, n)
      if (line.kind === 'message' && !line.own) newBelow++
    }
    known = pastNumber(of)
  }

  /**
   * Draws more lines where the reader comes near the first or the last one that is drawn.
   *
   * @param {Room} of
   */
  function showMore(of) {
    const { scrollTop, clientHeight, scrollHeight } = scroller
    const near = following ? clientHeight : 2 * clientHeight
    if (scrollTop < near) showOlder(of)
    else if (scrollHeight - scrollTop - clientHeight < near) showNewer(of)
  }

  /**
   * Draws older lines, or asks the server for them.
   *
   * @param {Room} of
   */
  function showOlder(of) {
    const first = firstNumber(of)
    if (drawn.top > first) {
      const anchor = anchors.find()
      if (!following) drawn.pruneFar('below', linesMore)
      drawn.prepend(of, Math.max(first, drawn.top - linesMore))
      if (following) toEnd()
      else {
        drawTail(of)
        restore(anchor)
      }
      drawOlder(of)
    } else if (of.more && !of.loading && state.link.phase === 'online') actions.loadOlder(of)
  }

  /** @param {Room} of */
  function showNewer(of) {
    if (drawn.end >= known) return
    const anchor = anchors.find()
    drawn.pruneFar('above', linesMore)
    drawn.append(of, Math.min(pastNumber(of), drawn.end + linesMore))
    drawTail(of)
    restore(anchor)
  }

  function resized() {
    if (scroller.clientWidth !== width) {
      width = scroller.clientWidth
      const anchor = following ? null : anchors.find()
      drawn.unfixHeights()
      restore(anchor)
      drawn.fixHeights()
    }
    if (following) toEnd()
  }

  /**
   * Sends a message again. The button goes away, so the focus of who uses the keyboard goes on to
   * the next message.
   *
   * @param {string} cid
   */
  function retry(cid) {
    if (document.activeElement?.matches('.line-actions :focus-visible')) message.focus()
    actions.retry(cid)
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
    tail.hidden = drawn.end < known
    let before = pastNumber(of) > firstNumber(of) ? of.lines.at(-1) : undefined
    let spoken = spokenBefore(of, pastNumber(of))
    for (const item of items) {
      Object.assign(item, { before, spoken })
      before = spoken = item.line
    }
    const focused = document.activeElement
    const cid = focused?.closest('[data-cid]')?.getAttribute('data-cid')
    const button = cid ? buttonsOf(cid).findIndex((each) => each === focused) : -1
    // What stands above decides whether an element has a day and an author of its own. It may come
    // later: after a reload the outbox is there before the log.
    keyed(tail, items, (item) => [
      item.key, state.settings.language, startsDay(item.line, item.before),
      startsGroup(item.line, item.spoken)].join(' '),
    ({ line, entry, ...where }) => (entry
      ? entryElement(entry, { ...where, room: of.name }, { retry, edit })
      : lineElement(line, { ...where, room: of.name })),
    (element, { entry }) => { if (entry) updateEntry(element, entry) })
    if (cid && button >= 0 && !focused?.isConnected) buttonsOf(cid)[button]?.focus()
  }

  /**
   * @param {string} cid of a message of the outbox
   */
  function buttonsOf(cid) {
    const entry = elements(tail.children).find((element) => element.dataset.cid === cid)
    return entry ? elements(entry.querySelectorAll('.line-actions button')) : []
  }

  /**
   * Draws what stands above the first line.
   *
   * @param {Room} of
   */
  function drawOlder(of) {
    const kind = kindOfOlder(of, drawn.top === firstNumber(of))
    const code = (of.refusal ?? of.olderRefusal)?.code
    const key = [kind, of.name, code, state.settings.language].join(' ')
    if (older.dataset.drawn === key) return
    older.dataset.drawn = key
    const anchor = following ? null : anchors.find()
    older.replaceChildren(...olderNodes(of, kind))
    restore(anchor)
  }

  function drawJump() {
    if (room) room.reading = !following
    const isSeeking = now() - soughtSince >= seekingShownAfter
    jump.hidden = following && !isSeeking
    jump.classList.toggle('seeking', isSeeking)
    if (isSeeking) setText(jump, `${t('loadingOlder')} · ${t('cancel')}`)
    else if (!following)
      setText(jump, newBelow > 0 ? t('newMessages', { n: newBelow }) : t('toEnd'))
    jump.classList.toggle('fresh', newBelow > 0)
  }

  function toEnd() {
    if (room && drawn.end < known) {
      replaceLines(room, pastNumber(room) - linesAtOnce)
      drawOlder(room)
    }
    following = true
    newBelow = 0
    scroller.scrollTop = scroller.scrollHeight
    lastScrollTop = scroller.scrollTop
    height = scroller.clientHeight
    drawJump()
  }

  function scrolled() {
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= endMargin
      && drawn.end >= known
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
    keepFocus(() => { if (room) showMore(room) })
    fixHeightsLater()
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let measuring
  function fixHeightsLater() {
    measuring ??= setTimeout(() => {
      measuring = undefined
      drawn.fixHeights()
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
    if (room && closest(event.target, '.older-again')) {
      scroller.focus({ preventScroll: true }) // the button goes away
      actions.loadOlder(room, true)
    }
    const button = closest(event.target, '.unfold')
    const text = button?.closest('.message')?.querySelector('.text')
    if (!button || !text) return
    const isFolded = text.classList.toggle('folded')
    button.closest('.block')?.classList.remove('fixed')
    button.setAttribute('aria-expanded', String(!isFolded))
    setText(button, t(isFolded ? 'unfold' : 'foldAgain'))
  })
  jump.addEventListener('click', () => {
    state.wantedLine = null
    soughtSince = Infinity
    toEnd()
    drawn.prune()
    toEnd()
    message.focus()
  })
  new ResizeObserver(resized).observe(scroller)
  watch(['lines', 'room', 'outbox', 'link', 'me'], () => {
    keepFocus(draw)
    fixHeightsLater()
  })
  watch(['settings'], () => {
    epoch = -1
    keepFocus(draw)
  })
  document.addEventListener('visibilitychange', nameDays)
  setInterval(nameDays, dayEvery)
  setInterval(() => { if (state.outbox.length > 0 && room) drawTail(room) }, statusEvery)
}
