// The dialog that asks for a nickname: at the beginning, after a refusal, and to change it. It asks
// nothing of people whose name a proxy decides: they see it after they have left the chat, or if
// the server could not let them in.

import { find, setText } from '../dom.js'
import { state, watch, changed } from '../state.js'
import { browser } from '../storage.js'
import { isString } from '../shapes.js'
import { onIdentityEnd } from '../identity.js'
import { t, explain, pieces } from '../i18n.js'
import { nodesOf } from './line.js'

/** @import { Actions } from '../actions.js' */
/** @import { Refusal } from '../state.js' */

/**
 * @param {object} options
 * @param {HTMLElement} options.card
 * @param {HTMLFormElement} options.form
 * @param {HTMLInputElement} options.field
 * @param {HTMLElement} options.error
 * @param {HTMLButtonElement} options.cancel
 * @param {HTMLElement} options.status
 * @param {HTMLElement} options.place which room one enters, and who is there
 * @param {HTMLElement} options.elsewhere
 * @param {HTMLElement} options.goOn
 * @param {HTMLButtonElement} options.submitButton
 * @param {HTMLElement} options.app inert while the dialog is open
 * @param {HTMLElement} options.message has the focus afterwards
 * @param {() => void} options.reload opens the page anew
 * @param {Pick<Actions, 'claimName' | 'goOnHere'>} options.actions
 */
export function createNicknameDialog(options) {
  const { card, form, field, error, cancel, status, submitButton, app, message } = options
  field.value = state.me.requestedName || browser.read('nickname', '', isString)
  let wasOpen = false
  /** @type {Refusal | null} */
  let lastRefusal = null

  function draw() {
    const { nicknameDialog, link, me } = state
    const { open, refusal } = nicknameDialog
    card.hidden = !open
    app.inert = open
    cancel.hidden = !nicknameDialog.renaming
    field.hidden = find(form, 'label').hidden = state.signedIn
    field.placeholder = t('nicknamePlaceholder')
    setText(error, refusal ? explain(refusal) : '')
    field.setAttribute('aria-invalid', String(Boolean(refusal)))
    submitButton.disabled = nicknameDialog.busy && link.phase === 'online'
    const waiting = link.trouble ? t('trouble.' + link.trouble) : t('connecting') + '…'
    setText(status, link.phase === 'online' || me.name ? '' : waiting)
    drawPlace()
    options.elsewhere.hidden = !state.elsewhere || nicknameDialog.renaming
    if (state.elsewhere) {
      const { name } = state.elsewhere
      find(options.elsewhere, 'span').replaceChildren(...nodesOf(pieces('elsewhere', { name })))
      options.goOn.replaceChildren(...nodesOf(pieces('goOnAs', { name })))
    }
    const first = state.signedIn ? submitButton : field
    if (open && !wasOpen) {
      first.focus()
      field.select()
    } else if (refusal && refusal !== lastRefusal) first.focus()
    if (!open && wasOpen) message.focus()
    wasOpen = open
    lastRefusal = refusal
  }

  /** Says which room one enters, and who is there as far as the server tells strangers. */
  function drawPlace() {
    const room = state.rooms.get(state.room)
    const names = [...room?.people.keys() ?? []].filter((name) => name !== state.me.name)
    const [a, b] = names
    const { place } = options
    place.hidden = state.nicknameDialog.renaming
    const values = { room: state.room, a, b, n: names.length - 1 }
    place.replaceChildren(
      ...nodesOf(pieces(names.length > 2 ? 'placeMany' : 'place' + names.length, values)))
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault()
    if (state.signedIn) options.reload() // the server lets in whoever connects
    else if (field.value.trim() === '') field.focus()
    else options.actions.claimName(field.value)
  }

  /** Opens the dialog to change the nickname. */
  function openForRename() {
    field.value = state.me.name
    state.nicknameDialog = { open: true, renaming: true, busy: false, refusal: null }
    changed('nickname')
  }

  function cancelRename() {
    state.nicknameDialog = { open: false, renaming: false, busy: false, refusal: null }
    state.me.requestedName = state.me.name
    changed('nickname')
  }

  onIdentityEnd(() => { field.value = '' })
  form.addEventListener('submit', submit)
  field.addEventListener('keydown', (event) => {
    // An Enter that ends a composition belongs to the input method; some browsers report it only by
    // the code 229.
    if (event.key === 'Enter' && (event.isComposing || event.keyCode === 229))
      event.preventDefault()
    if (event.key === 'Escape' && state.nicknameDialog.renaming && !event.isComposing)
      cancelRename()
  })
  cancel.addEventListener('click', cancelRename)
  options.goOn.addEventListener('click', options.actions.goOnHere)
  watch(['nickname', 'link', 'me', 'people', 'room', 'settings'], draw)

  return { openForRename, cancelRename }
}
