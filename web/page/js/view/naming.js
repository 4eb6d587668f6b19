// The card that asks for a nickname: at the beginning, after a refusal, and to change it.

import { setText } from '../dom.js'
import { state, watch, changed } from '../state.js'
import { browser } from '../storage.js'
import { t, explain } from '../i18n.js'

export function createNaming({ card, form, field, error, cancel, status, go, app, message, actions }) {
  field.value = state.me.wish || browser.read('nickname', '')
  let wasOpen = null
  let refusal = null

  function draw() {
    const { naming, link, me } = state
    card.hidden = !naming.open
    app.inert = naming.open
    cancel.hidden = !naming.renaming
    field.placeholder = t('nicknamePlaceholder')
    setText(error, naming.refusal ? explain(naming.refusal) : '')
    field.setAttribute('aria-invalid', String(Boolean(naming.refusal)))
    go.disabled = naming.busy && link.phase === 'online'
    setText(status, link.phase === 'online' || me.name ? '' : t('connecting') + '…')
    if (naming.open && wasOpen !== true) {
      field.focus()
      field.select()
    } else if (naming.refusal && naming.refusal !== refusal) field.focus()
    if (!naming.open && wasOpen) message.focus()
    wasOpen = naming.open
    refusal = naming.refusal
  }

  function submit(event) {
    event.preventDefault()
    if (field.value.trim() === '') {
      field.focus()
      return
    }
    actions.claim(field.value)
  }

  function stop() {
    state.naming = { ...state.naming, open: false, renaming: false, refusal: null, busy: false }
    state.me.wish = state.me.name
    changed('naming')
  }

  form.addEventListener('submit', submit)
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.isComposing || event.keyCode === 229)) event.preventDefault()
    if (event.key === 'Escape' && state.naming.renaming && !event.isComposing) stop()
  })
  cancel.addEventListener('click', stop)
  watch(['naming', 'link', 'me', 'settings'], draw)

  // ask opens the card to change the name.
  function ask() {
    field.value = state.me.name
    state.naming = { open: true, renaming: true, busy: false, refusal: null }
    changed('naming')
  }

  return { ask, stop }
}
