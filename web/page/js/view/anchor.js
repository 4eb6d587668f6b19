// Keeps a text in its place on the screen while elements around it change.

import { elements } from '../dom.js'

/**
 * A text that stays in its place. at is its distance from the top of the view, top the scrollTop
 * that was set for it.
 * @typedef {{ text: Element, at: number, id?: string, top?: number }} Anchor
 */

/**
 * @param {object} options
 * @param {HTMLElement} options.scroller
 * @param {HTMLElement} options.body of the lines in scroller
 */
export function createAnchors({ scroller, body }) {
  /** @type {Anchor | null} */
  let lastAnchor = null

  /**
   * Returns the first text whose beginning is in view. It is the text and not its line, because
   * what stands above the text, an author's name or a day, goes away when older lines are drawn
   * before it.
   *
   * @returns {Anchor | null}
   */
  function find() {
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

  /**
   * Scrolls a text back to its place, and reports whether it is still there.
   *
   * @param {Anchor | null} anchor
   */
  function restore(anchor) {
    const text = anchor && textOf(anchor)
    if (!text) return false
    const at = text.getBoundingClientRect().top - scroller.getBoundingClientRect().top
    scroller.scrollTop += at - anchor.at
    lastAnchor = { ...anchor, text, top: scroller.scrollTop }
    return true
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

  function forget() {
    lastAnchor = null
  }

  return { find, restore, forget }
}
