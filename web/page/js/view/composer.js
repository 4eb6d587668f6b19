// The field in which messages are written. It keeps one draft per room, also over a reload.

import { setText } from '../dom.js'
import { state, watch } from '../state.js'
import { tab } from '../storage.js'
import { isRecordOfStrings } from '../shapes.js'
import { onIdentityEnd } from '../identity.js'
import { t } from '../i18n.js'
import { graphemes } from '../text.js'
import { parseWish } from '../commands.js'
import { withEmoji } from '../completion.js'

/** @import { Actions } from '../actions.js' */

const counterFrom = 0.9 // of the limit: the counter shows from here on
// ms in which a second Enter without a release is a repeated report of the first
const samePress = 100
const saveDelay = 150 // ms from the last input until the draft is saved

/**
 * @param {object} options
 * @param {HTMLFormElement} options.form
 * @param {HTMLTextAreaElement} options.field
 * @param {HTMLElement} options.label
 * @param {HTMLElement} options.counter
 * @param {HTMLElement} options.hint says what became of what one did, if it needs a word
 * @param {(room: string) => void} options.goTo
 * @param {HTMLButtonElement} options.button
 * @param {Pick<Actions, 'sendMessage' | 'setTyping' | 'discard' | 'requestRename'>} options.actions
 */
export function createComposer({ form, field, label, counter, hint, button, goTo, actions }) {
  /** @type {Record<string, string>} */
  const drafts = Object.create(null) // a room may be called constructor
  Object.assign(drafts, tab.read('drafts', {}, isRecordOfStrings))
  /** @type {string | null} */
  let room = null
  let composing = false
  let compositionEndedAt = -Infinity // by an Enter that has not been released
  let newLine = false // whether Enter was pressed to begin a line
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let saving

  onIdentityEnd(() => {
    clearTimeout(saving)
    for (const name of Object.keys(drafts)) delete drafts[name]
    field.value = ''
    grow()
  })

  function draw() {
    if (room !== state.room) {
      saveDraft()
      room = state.room
      field.value = drafts[room] ?? ''
      grow()
    }
    setText(label, t('messageLabel', { room }))
    field.placeholder = t('messagePlaceholder', { room })
    const isClosed = Boolean(state.rooms.get(room)?.refusal)
    form.classList.toggle('closed', isClosed)
    field.disabled = isClosed
    check()
  }

  function saveDraft() {
    if (room === null) return
    if (field.value) drafts[room] = field.value
    else delete drafts[room]
    tab.write('drafts', drafts)
  }

  function saveDraftLater() {
    clearTimeout(saving)
    saving = setTimeout(saveDraft, saveDelay)
  }

  /** Makes the field as high as its text, up to the limit in the style sheet. */
  function grow() {
    field.style.height = 'auto'
    field.style.height = field.scrollHeight + 2 + 'px'
  }

  /**
   * Shows how many characters are left once there are few, and reports whether the text may be
   * sent.
   */
  function check() {
    const limit = state.limits.message
    const text = field.value.trim()
    // A grapheme has at least one code unit, so most texts need no counting.
    const left = limit && text.length >= limit * counterFrom ? limit - graphemes(text) : Infinity
    counter.hidden = !(limit && left <= limit * (1 - counterFrom))
    if (!counter.hidden) {
      setText(counter, left < 0 ? t('charactersOver', { n: -left })
        : t('charactersLeft', { n: left }))
    }
    counter.classList.toggle('over', left < 0)
    field.setAttribute('aria-invalid', String(left < 0))
    button.disabled = field.disabled || text === '' || left < 0
    return !button.disabled
  }

  function submit() {
    if (composing || !check()) return
    const wish = parseWish(field.value.trim())
    showHint(wish.kind === 'help' ? (wish.unknown ? 'unknownCommand' : 'commands') : '', wish)
    if (wish.kind === 'help' && wish.unknown) return // the text stays, to be corrected
    if (wish.kind === 'send') actions.sendMessage(withEmoji(wish.text))
    else if (wish.kind === 'join') goTo(wish.name)
    else if (wish.kind === 'nick' && state.signedIn) showHint('refusal.name_fixed')
    else if (wish.kind === 'nick') actions.requestRename(wish.name)
    field.value = ''
    saveDraft()
    grow()
    check()
    field.focus()
  }

  /**
   * @param {string} key of a text; empty: none
   * @param {object} [values]
   */
  function showHint(key, values = {}) {
    setText(hint, key && t(key, { ...values }))
    hint.hidden = !key
  }

  /** @param {DataTransfer | null} data */
  function refuseFiles(data) {
    if (!data || data.files.length === 0 || data.getData('text/plain')) return false
    showHint('noFiles')
    return true
  }

  field.addEventListener('paste', (event) => {
    if (refuseFiles(event.clipboardData)) event.preventDefault()
  })
  for (const type of ['dragover', 'drop']) {
    addEventListener(type, (event) => {
      if (!(event instanceof DragEvent) || !event.dataTransfer?.types.includes('Files')) return
      event.preventDefault() // the browser would leave the page for the file
      if (type === 'drop') refuseFiles(event.dataTransfer)
    })
  }
  field.addEventListener('compositionstart', () => { composing = true })
  field.addEventListener('compositionend', () => { composing = false })
  field.addEventListener('keyup', () => { compositionEndedAt = -Infinity })
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return
    newLine = event.shiftKey
    if (newLine) return
    // An Enter that ends a composition belongs to the input method. Some systems report the same
    // press a second time as soon as the composition is over; that report is ignored, too. Browsers
    // give such a press the key code 229.
    if (event.isComposing || composing || event.keyCode === 229) {
      compositionEndedAt = event.timeStamp
      return
    }
    event.preventDefault()
    if (event.timeStamp - compositionEndedAt < samePress || event.repeat) return
    submit()
  })
  // The keyboards of some phones report no key, only that a line is about to begin.
  field.addEventListener('beforeinput', (event) => {
    if (event.inputType !== 'insertLineBreak' || newLine || event.isComposing) return
    event.preventDefault()
    if (event.timeStamp - compositionEndedAt >= samePress) submit()
  })
  field.addEventListener('input', () => {
    showHint('')
    grow()
    check()
    saveDraftLater()
    actions.setTyping(field.value.trim() !== '')
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  addEventListener('pagehide', saveDraft)
  watch(['room', 'rooms', 'settings', 'me'], draw)

  /**
   * Removes a message that could not be sent from the outbox and puts its text into the field.
   *
   * @param {string} cid
   */
  function editUnsent(cid) {
    const text = actions.discard(cid)
    field.value = field.value ? field.value + '\n' + text : text
    grow()
    check()
    saveDraft()
    field.focus()
  }

  return { editUnsent }
}
