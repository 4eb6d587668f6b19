// The list of names or emoji that complete the word one types. The arrows choose, Enter and Tab
// take, Escape closes; the focus stays in the field.

import { closest, elements, h } from '../dom.js'
import { state } from '../state.js'
import { offersFor } from '../completion.js'
import { onIdentityEnd } from '../identity.js'

/** @import { Offer } from '../completion.js' */

/**
 * @param {object} options
 * @param {HTMLTextAreaElement} options.field
 * @param {HTMLElement} options.list
 */
export function createCompletion({ field, list }) {
  /** @type {Offer[]} */
  let offers = []
  let chosen = 0

  function update() {
    const { selectionStart, selectionEnd } = field
    const people = state.rooms.get(state.room)?.people.keys() ?? []
    const names = [...people].filter((name) => name !== state.me.name)
    offers = selectionStart === selectionEnd ? offersFor(field.value, selectionStart, names) : []
    chosen = 0
    draw()
  }

  function draw() {
    list.hidden = offers.length === 0
    list.replaceChildren(...offers.map(({ label }, i) => h('li', {
      id: `offer-${i}`, role: 'option', 'aria-selected': String(i === chosen), 'data-offer': i,
    }, h('bdi', null, label))))
    if (list.hidden) field.removeAttribute('aria-activedescendant')
    else field.setAttribute('aria-activedescendant', `offer-${chosen}`)
  }

  function close() {
    offers = []
    draw()
  }

  /** @param {Offer} offer */
  function take({ insert, from, to }) {
    field.setRangeText(insert, from, to, 'end')
    close()
    field.dispatchEvent(new Event('input', { bubbles: true }))
  }

  field.setAttribute('aria-autocomplete', 'list')
  field.setAttribute('aria-controls', list.id)
  field.addEventListener('input', (event) => {
    if (!(event instanceof InputEvent && event.isComposing)) update()
  })
  field.addEventListener('blur', close)
  field.addEventListener('keydown', (event) => {
    if (list.hidden || event.isComposing || event.keyCode === 229) return
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      chosen = (chosen + (event.key === 'ArrowDown' ? 1 : offers.length - 1)) % offers.length
      draw()
    } else if (event.key === 'Enter' || event.key === 'Tab') take(offers[chosen])
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
    event.stopImmediatePropagation()
  }, { capture: true })
  list.addEventListener('pointerdown', (event) => {
    const option = closest(event.target, '[data-offer]')
    event.preventDefault() // the field keeps the focus
    if (option) take(offers[elements(list.children).indexOf(option)])
  })
  onIdentityEnd(close)
}
