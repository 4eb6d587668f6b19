// The lines of a room that are elements, in blocks: a part of the room's lines without gaps, around
// the reader's place. A block that does not change any more has a known height and the property
// content-visibility, so the browser skips it while it is out of sight.

import { h, elements } from '../dom.js'
import { firstNumber, lineAt, pastNumber } from '../rooms.js'
import { continuesRun, isComing } from '../coming.js'
import { foldRun } from './runs.js'
import { lineElement } from './line.js'

/** @import { Room } from '../rooms.js' */

const blockSize = 40 // lines
const mostDrawn = 640 // lines; those far from the reader's place are removed

/**
 * Returns the last line before another one that is not about coming and going.
 *
 * @param {Room} of
 * @param {number} n
 */
export function spokenBefore(of, n) {
  let at = n - 1
  while (at > firstNumber(of) && isComing(lineAt(of, at))) at--
  return at >= firstNumber(of) ? lineAt(of, at) : undefined
}

/**
 * @param {object} options
 * @param {HTMLElement} options.scroller
 * @param {HTMLElement} options.body of the lines in scroller
 */
export function createDrawnLines({ scroller, body }) {
  let top = 0 // number of the first line drawn
  let end = 0 // number after the last line drawn

  /**
   * Draws lines in place of those that are drawn.
   *
   * @param {Room} of
   * @param {number} from
   * @param {number} to number after the last one
   */
  function replace(of, from, to) {
    top = from
    end = Math.min(pastNumber(of), to)
    body.replaceChildren(...blocks(of, top, end))
    fold(of, top, end)
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
    const before = n > firstNumber(of) ? lineAt(of, n - 1) : undefined
    const line = lineAt(of, n)
    const isNew = Boolean(of.marker) && line.id === of.marker
    return lineElement(line, { before, spoken: spokenBefore(of, n), room: of.name, isNew })
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
    const first = firstNumber(of)
    /** @param {number} n */
    const goesOn = (n) =>
      n > first && n < end && continuesRun(lineAt(of, n), lineAt(of, n - 1))
    for (let n = from; n < to || goesOn(n); n++) {
      if (goesOn(n + 1) || !goesOn(n)) continue
      let start = n
      while (goesOn(start)) start--
      const last = drawnElement(n)
      if (last) foldRun(of.lines.slice(start - first, n + 1 - first), last, of.name)
    }
  }

  /**
   * Draws the lines after the last one drawn.
   *
   * @param {Room} of
   * @param {number} wanted number after the last line to be drawn
   */
  function append(of, wanted) {
    const from = end
    let last = body.lastElementChild
    for (; end < wanted; end++) {
      if (!last || last.childElementCount >= blockSize) {
        last = h('div', { class: 'block' })
        body.append(last)
      }
      last.append(elementOf(of, end))
    }
    fold(of, from, end)
  }

  let selects = false // known from the event, because to ask for a selection takes a layout
  document.addEventListener('selectionchange', () => {
    const selection = getSelection()
    selects = selection !== null && !selection.isCollapsed &&
      scroller.contains(selection.anchorNode)
  })

  /** Reports whether the reader has selected text here: it must stay where it is. */
  const hasSelection = () => selects

  /**
   * Removes elements far above the end. They are drawn again when the reader comes near them.
   */
  function prune() {
    while (end - top > mostDrawn) {
      const oldest = body.firstElementChild
      if (!oldest) return
      top += oldest.childElementCount
      oldest.remove()
    }
  }

  /**
   * Removes elements far from the reader's place, but not the last ones towards it. It measures, so
   * it comes before lines are drawn: the browser then lays out once, all of the changes together.
   *
   * @param {'above' | 'below'} side
   * @param {number} more lines that are going to be drawn
   */
  function pruneFar(side, more) {
    while (end - top + more > mostDrawn && !hasSelection()) {
      const view = scroller.getBoundingClientRect()
      const far = side === 'above' ? body.firstElementChild : body.lastElementChild
      if (!far) return
      const place = far.getBoundingClientRect()
      const distance = side === 'above' ? view.top - place.bottom : place.top - view.bottom
      if (distance < 2 * view.height) return
      if (side === 'above') top += far.childElementCount
      else end -= far.childElementCount
      far.remove()
    }
  }

  /**
   * Draws the lines before the first one drawn.
   *
   * @param {Room} of
   * @param {number} from
   */
  function prepend(of, from) {
    // The first lines drawn were drawn without knowing the lines before them.
    for (let n = top; n < end; n++) {
      drawnElement(n)?.replaceWith(elementOf(of, n))
      if (!isComing(lineAt(of, n))) break
    }
    body.prepend(...blocks(of, from, top))
    const drawnBefore = top
    top = from
    fold(of, from, drawnBefore + 1)
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

  /** Has blocks find out their heights again. */
  function unfixHeights() {
    for (const element of body.querySelectorAll('.fixed')) element.classList.remove('fixed')
  }

  /**
   * Reports whether most lines up to a number would be removed again once they were drawn.
   *
   * @param {number} n
   */
  const isFarFrom = (n) => n - end > mostDrawn

  /** Reports whether as many lines are drawn as may be. */
  const isFull = () => end - top >= mostDrawn

  return {
    get top() { return top },
    get end() { return end },
    replace, append, prepend, prune, pruneFar, isFarFrom, isFull, drawnElement, hasSelection,
    fixHeights, unfixHeights,
  }
}
