// The settings: language, theme, notifications, nickname.

import { closest, elements, h } from '../dom.js'
import { state, watch, changed } from '../state.js'
import { browser } from '../storage.js'
import { settings } from '../settings.js'
import { t, language, languageName, setLanguage } from '../i18n.js'

/**
 * @param {object} options
 * @param {HTMLElement} options.languageButtons
 * @param {HTMLSelectElement} options.languages
 * @param {HTMLSelectElement} options.theme
 * @param {HTMLInputElement} options.notify
 * @param {HTMLInputElement} options.coming
 * @param {HTMLInputElement} options.spoken
 * @param {HTMLElement} options.note
 * @param {HTMLElement} options.rename
 * @param {{ openForRename: () => void }} options.nicknameDialog
 */
export function createSettings(options) {
  const { languageButtons, languages, theme, notify, coming, spoken, note } = options

  const offered = settings.languages
  languages.append(...offered.map((tag) =>
    h('option', { value: tag, lang: tag }, languageName(tag))))
  languageButtons.append(...offered.map((tag) => (
    h('button', { type: 'button', class: 'quiet', 'data-language': tag, lang: tag },
      languageName(tag)))))
  languageButtons.hidden = offered.length < 2

  function draw() {
    translateDocument()
    languages.value = language
    theme.value = state.settings.theme
    notify.checked = state.settings.notify && globalThis.Notification?.permission === 'granted'
    options.rename.hidden = state.signedIn
    spoken.checked = state.settings.spoken
    coming.checked = state.settings.coming
    document.documentElement.dataset.coming = state.settings.coming ? 'shown' : 'hidden'
    document.documentElement.dataset.theme = settings.theme || state.settings.theme
  }

  /** @param {string} [wanted] */
  async function chooseLanguage(wanted = language) {
    await setLanguage(wanted)
    changed('settings')
  }

  languages.addEventListener('change', () => chooseLanguage(languages.value))
  languageButtons.addEventListener('click', (event) => {
    const button = closest(event.target, '[data-language]')
    if (button) chooseLanguage(button.dataset.language)
  })
  theme.addEventListener('change', () => {
    state.settings.theme = theme.value
    browser.write('theme', theme.value)
    changed('settings')
  })
  notify.addEventListener('change', async () => {
    note.hidden = true
    let granted = false
    if (notify.checked) {
      const supported = globalThis.Notification !== undefined
      granted = supported && await Notification.requestPermission() === 'granted'
      note.hidden = granted
      note.textContent = supported ? t('notifyDenied') : t('notifyMissing')
    }
    state.settings.notify = granted
    browser.write('notify', granted)
    changed('settings')
  })
  for (const [key, box] of /** @type {const} */ ([['coming', coming], ['spoken', spoken]])) {
    box.addEventListener('change', () => {
      state.settings[key] = box.checked
      browser.write(key, box.checked)
      changed('settings')
    })
  }
  options.rename.addEventListener('click', options.nicknameDialog.openForRename)
  watch(['settings', 'me'], draw)
}

/**
 * Sets the texts of the elements that name theirs: data-t names the content, data-t-label and
 * data-t-placeholder name attributes.
 */
function translateDocument() {
  document.documentElement.lang = language
  for (const element of elements(document.querySelectorAll('[data-t]'))) {
    element.textContent = t(element.dataset.t ?? '')
  }
  for (const element of elements(document.querySelectorAll('[data-t-placeholder]'))) {
    element.setAttribute('placeholder', t(element.dataset.tPlaceholder ?? ''))
  }
  for (const element of elements(document.querySelectorAll('[data-t-label]'))) {
    const label = t(element.dataset.tLabel ?? '')
    element.setAttribute('aria-label', label)
    if (element.tagName === 'BUTTON') element.title = label
  }
}
