// Searches what was said, in the room on the screen or in all of one's rooms. A result leads to its
// message, among those around it.

import { h, elements } from '../dom.js'
import { state, watch } from '../state.js'
import { hashOfLine } from '../address.js'
import { onIdentityEnd } from '../identity.js'
import { clockTime, dayName, explain, t } from '../i18n.js'
import { nodesOf } from './line.js'

/** @import { Actions } from '../actions.js' */
/** @import { Line } from '../rooms.js' */

const longestShown = 200 // characters of a result

/**
 * @param {object} options
 * @param {HTMLElement} options.panel
 * @param {HTMLElement} options.open
 * @param {HTMLElement} options.close
 * @param {HTMLFormElement} options.form
 * @param {HTMLInputElement} options.field
 * @param {HTMLInputElement} options.everywhere whether all rooms are searched
 * @param {HTMLElement} options.results
 * @param {HTMLElement} options.status
 * @param {HTMLElement} options.more
 * @param {Pick<Actions, 'search'>} options.actions
 */
export function createSearch(
  { panel, open, close, form, field, everywhere, results, status, more, actions }) {
  let next = '' // where the search goes on
  let asked = 0 // searches so far: an answer to an earlier one is of no interest

  const isOpen = () => !panel.hidden

  /** @param {boolean} wanted */
  function toggle(wanted) {
    if (wanted === isOpen()) return
    panel.hidden = !wanted
    open.setAttribute('aria-expanded', String(wanted))
    if (wanted) field.select()
    else open.focus()
  }

  /** @param {boolean} [goesOn] after the results so far */
  async function search(goesOn = false) {
    const text = field.value.trim()
    if (!text) return
    const mine = ++asked
    if (!goesOn) results.replaceChildren()
    status.textContent = t('searching')
    more.hidden = true
    const answer = await actions.search(text, everywhere.checked ? '' : state.room, goesOn ? next
      : '')
    if (mine !== asked) return
    if (!answer?.ok) {
      status.textContent = explain(answer ?? { code: 'unavailable' })
      return
    }
    results.append(...answer.messages.map(resultElement))
    next = answer.before ?? ''
    more.hidden = !answer.more
    const isEmpty = results.childElementCount === 0
    status.textContent = isEmpty && !answer.more ? t('foundNothing') : ''
  }

  /** @param {Line & { room: string }} line */
  function resultElement({ id = '', room, from, text, time }) {
    const shown = text.length > longestShown ? text.slice(0, longestShown) + '…' : text
    const when = ` · ${dayName(time)}, ${clockTime(time)}`
    return h('li', null, h('a', { href: hashOfLine(room, id) },
      h('span', { class: 'found-head' }, nodesOf([{ name: from }]), ' · #', h('bdi', null, room),
        when),
      h('span', { class: 'found-text', dir: 'auto' }, shown)))
  }

  open.addEventListener('click', () => toggle(!isOpen()))
  close.addEventListener('click', () => toggle(false))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    search()
  })
  everywhere.addEventListener('change', () => search())
  more.addEventListener('click', () => search(true))
  onIdentityEnd(() => {
    asked++
    field.value = ''
    results.replaceChildren()
    panel.hidden = true
  })
  watch(['settings'], () => { // results have times in the reader's language
    if (elements(results.children).length > 0) search()
  })

  return { isOpen, toggle }
}
