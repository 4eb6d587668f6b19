// Keys that work everywhere: Escape closes what lies open or returns to the message, Alt with the arrows goes from room
// to room, the arrows move along the list of rooms, Page Up and Page Down in the message scroll the conversation, and
// what is typed nowhere in particular goes into the message.

import { state } from '../state.js'

export function createKeyboard({ side, behind, naming, message, scroller, rooms }) {
  document.addEventListener('keydown', (event) => {
    if (event.isComposing || event.defaultPrevented) return
    if (event.key === 'Escape') escape()
    else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) move(event, document.querySelector('#rooms [aria-current]'), true)
    else if (rooms.contains(event.target)) alongRooms(event)
    else if (event.target === message) fromMessage(event)
    else if (isTextForMessage(event)) message.focus()
  })

  function escape() {
    if (state.naming.open) {
      if (state.naming.renaming) naming.stop()
    } else if (side.isOpen()) side.toggle(false)
    else if (behind.isOpen()) behind.toggle(false)
    else message.focus()
  }

  function alongRooms(event) {
    if (event.key === 'ArrowUp' || event.key === 'ArrowDown') move(event, event.target.closest('a'), false)
  }

  function move(event, from, follow) {
    const links = [...rooms.querySelectorAll('a')]
    const at = links.indexOf(from) + (event.key === 'ArrowUp' ? -1 : 1)
    const to = links[(at + links.length) % links.length]
    event.preventDefault()
    if (follow) to?.click()
    else to?.focus()
  }

  function fromMessage(event) {
    if (event.key !== 'PageUp' && event.key !== 'PageDown') return
    event.preventDefault()
    const page = scroller.clientHeight * 0.9
    scroller.scrollBy({ top: event.key === 'PageUp' ? -page : page })
  }

  function isTextForMessage(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1 || event.key === ' ' || state.naming.open) return false
    return event.target === document.body || event.target === scroller
  }
}
