// Keyboard shortcuts. Escape closes what is open, or returns to the message. Alt with the arrows
// switches rooms. The arrows move along the list of rooms, and along the addresses of messages, of
// which Tab reaches only one. Page Up and Page Down in the message scroll the conversation. Text
// typed outside of any field goes into the message.

import { closest, elements } from '../dom.js'
import { state } from '../state.js'

const pageShare = 0.9 // of the conversation's height that Page Up scrolls

/** @typedef {{ isOpen: () => boolean, toggle: (open: boolean) => void }} Panel */

/**
 * @param {object} options
 * @param {Panel} options.sidebar
 * @param {Panel} options.diagnostics
 * @param {Panel} options.search
 * @param {{ cancelRename: () => void }} options.nicknameDialog
 * @param {HTMLElement} options.message
 * @param {HTMLElement} options.scroller
 * @param {HTMLElement} options.rooms
 */
export function createShortcuts(
  { sidebar, diagnostics, search, nicknameDialog, message, scroller, rooms }) {
  document.addEventListener('keydown', (event) => {
    if (event.isComposing || event.defaultPrevented) return
    const isArrow = event.key === 'ArrowUp' || event.key === 'ArrowDown'
    if (event.key === 'Escape') escape(event)
    else if (event.altKey && isArrow) move(event, rooms.querySelector('[aria-current]'))?.click()
    else if (event.target instanceof Node && rooms.contains(event.target)) {
      if (isArrow) move(event, closest(event.target, 'a'))?.focus()
    } else if (isArrow && closest(event.target, '.at')) moveAmongMessages(event)
    else if (event.target === message) scrollFromMessage(event)
    else if (isTextForMessage(event)) message.focus()
  })

  /** @param {KeyboardEvent} event */
  function escape({ target }) {
    if (state.nicknameDialog.open) {
      if (state.nicknameDialog.renaming) nicknameDialog.cancelRename()
    } else if (sidebar.isOpen()) sidebar.toggle(false)
    else if (search.isOpen()) search.toggle(false)
    else if (diagnostics.isOpen()) diagnostics.toggle(false)
    else if (!closest(target, 'input, select, textarea')) message.focus() // who types goes on
  }

  /**
   * Returns the link of the room before or after another one.
   *
   * @param {KeyboardEvent} event
   * @param {Element | null} from
   */
  function move(event, from) {
    const links = elements(rooms.querySelectorAll('a'))
    const at = links.findIndex((link) => link === from) + (event.key === 'ArrowUp' ? -1 : 1)
    event.preventDefault()
    return links.at(at % links.length)
  }

  /** @param {KeyboardEvent} event */
  function moveAmongMessages(event) {
    const links = elements(scroller.querySelectorAll('.at'))
    const at = links.findIndex((link) => link === event.target)
    event.preventDefault()
    links[at + (event.key === 'ArrowUp' ? -1 : 1)]?.focus()
  }

  // Tab goes from the conversation to the address of the last message in view.
  scroller.addEventListener('focus', () => {
    const end = scroller.getBoundingClientRect().bottom
    const links = elements(scroller.querySelectorAll('.at'))
    for (const link of links) link.tabIndex = -1
    const last = links.findLast((link) => link.getBoundingClientRect().bottom <= end)
    if (last) last.tabIndex = 0
  })

  /** @param {KeyboardEvent} event */
  function scrollFromMessage(event) {
    if (event.key !== 'PageUp' && event.key !== 'PageDown') return
    event.preventDefault()
    const page = scroller.clientHeight * pageShare
    scroller.scrollBy({ top: event.key === 'PageUp' ? -page : page })
  }

  /** @param {KeyboardEvent} event */
  function isTextForMessage(event) {
    const { key } = event
    if (event.ctrlKey || event.metaKey || event.altKey || key.length !== 1 || key === ' ')
      return false
    return !state.nicknameDialog.open &&
      (event.target === document.body || event.target === scroller)
  }
}
