// Folds runs of coming and going: of the notices of a run only the last is shown, and says what
// the run comes to. Each line keeps an element, so that the conversation counts lines by elements.

import { elements, find } from '../dom.js'
import { outcomes } from '../coming.js'
import { runPieces } from '../line.js'
import { nodesOf, titleOf } from './line.js'

/** @import { Line } from '../rooms.js' */

/** @param {Element} element of a line */
const noticeIn = (element) => (element.matches('.notice') ? element : find(element, '.notice'))

/**
 * Returns the element of the line before another one, if it is drawn.
 *
 * @param {Element} element
 */
const elementBefore = (element) =>
  element.previousElementSibling ??
    element.parentElement?.previousElementSibling?.lastElementChild ?? null

/**
 * Draws a run that ends at an element.
 *
 * @param {Line[]} run
 * @param {Element} last its element
 * @param {string} room
 */
export function foldRun(run, last, room) {
  const [shown] = elements([noticeIn(last)])
  shown.hidden = false
  find(shown, '.what').replaceChildren(...nodesOf(runPieces(run, room)))
  const title = titleOf([...outcomes(run).values()].flat())
  if (title) shown.title = title
  let before = elementBefore(last)
  for (let i = 1; i < run.length && before; i++) {
    const [folded] = elements([noticeIn(before)])
    folded.hidden = true
    folded.dataset.in = shown.dataset.id
    if (before.parentElement !== last.parentElement) before.parentElement?.classList.remove('fixed')
    before = elementBefore(before)
  }
}
