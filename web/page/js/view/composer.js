// Where messages are written. A draft per room, kept over a reload.

import { setText } from '../dom.js'
import { state, watch } from '../state.js'
import { tab } from '../storage.js'
import { t } from '../i18n.js'
import { graphemes } from '../text.js'

const showFrom = 0.9 // of the limit: where the counter appears
const samePress = 100 // ms in which a second Enter without a release is the first one, told twice

export function createComposer({ form, field, label, counter, button, actions }) {
  const drafts = Object.assign(Object.create(null), tab.read('drafts', {})) // a room may be called constructor
  let room = null
  let composing = false
  let ended = -Infinity // when Enter ended a composition, until that key is let go
  let newLine = false // whether Enter was pressed to begin a line
  let saving = 0

  function draw() {
    if (room !== state.room) {
      keep()
      room = state.room
      field.value = drafts[room] ?? ''
      grow()
    }
    setText(label, t('messageLabel', { room }))
    field.placeholder = t('messagePlaceholder', { room })
    const isClosed = Boolean(state.rooms.get(room)?.refusal)
    form.classList.toggle('closed', isClosed)
    field.disabled = isClosed
    count()
  }

  function keep() {
    if (room === null) return
    if (field.value) drafts[room] = field.value
    else delete drafts[room]
    tab.write('drafts', drafts)
  }

  function keepSoon() {
    clearTimeout(saving)
    saving = setTimeout(keep, 150)
  }

  // grow makes the field as high as its text, up to the limit in the style sheet.
  function grow() {
    field.style.height = 'auto'
    field.style.height = field.scrollHeight + 2 + 'px'
  }

  // count shows how much room is left when that is not much, and tells whether the text may be sent.
  function count() {
    const limit = state.limits.message
    const text = field.value.trim()
    // A grapheme has at least one code unit: most texts need no counting.
    const left = limit && text.length >= limit * showFrom ? limit - graphemes(text) : Infinity
    counter.hidden = !(limit && left <= limit * (1 - showFrom))
    if (!counter.hidden) setText(counter, left < 0 ? t('charactersOver', { n: -left }) : t('charactersLeft', { n: left }))
    counter.classList.toggle('over', left < 0)
    field.setAttribute('aria-invalid', String(left < 0))
    button.disabled = field.disabled || text === '' || left < 0
    return !button.disabled
  }

  function submit() {
    if (composing || !count()) return
    actions.say(field.value.trim())
    field.value = ''
    keep()
    grow()
    count()
    field.focus()
  }

  field.addEventListener('compositionstart', () => { composing = true })
  field.addEventListener('compositionend', () => { composing = false })
  field.addEventListener('keyup', () => { ended = -Infinity })
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return
    newLine = event.shiftKey
    if (newLine) return
    // Enter that ends a composition is the input method's. Some systems report the same key press a second time as soon
    // as the composition is over; that is not meant for us either.
    if (event.isComposing || composing || event.keyCode === 229) {
      ended = event.timeStamp
      return
    }
    event.preventDefault()
    if (event.timeStamp - ended < samePress || event.repeat) return
    submit()
  })
  // The keyboards of some phones report no key: only that a line is about to begin.
  field.addEventListener('beforeinput', (event) => {
    if (event.inputType !== 'insertLineBreak' || newLine || event.isComposing) return
    event.preventDefault()
    if (event.timeStamp - ended >= samePress) submit()
  })
  field.addEventListener('input', () => {
    grow()
    count()
    keepSoon()
    actions.typing(field.value.trim() !== '')
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  addEventListener('pagehide', keep)
  watch(['room', 'rooms', 'settings', 'me'], draw)

  // giveBack puts a text that could not be sent where it can be mended.
  function giveBack(text) {
    field.value = field.value ? field.value + '\n' + text : text
    grow()
    count()
    keep()
    field.focus()
  }

  return { giveBack }
}
