// Language, colours, notifications, nickname.

import { state, watch, changed } from '../state.js'
import { browser } from '../storage.js'
import { t, language, speak, translate } from '../i18n.js'

export function createSettings({ languages, choice, theme, notify, note, rename, leave, naming, actions }) {
  function draw() {
    translate()
    choice.value = language
    theme.value = state.settings.theme
    notify.checked = state.settings.notify && globalThis.Notification?.permission === 'granted'
    document.documentElement.dataset.theme = state.settings.theme
  }

  function speakNow(wanted) {
    speak(wanted)
    changed('settings')
  }

  choice.addEventListener('change', () => speakNow(choice.value))
  for (const button of languages) button.addEventListener('click', () => speakNow(button.dataset.language))
  theme.addEventListener('change', () => {
    state.settings.theme = theme.value
    browser.write('theme', theme.value)
    changed('settings')
  })
  notify.addEventListener('change', async () => {
    note.hidden = true
    let granted = false
    if (notify.checked) {
      granted = globalThis.Notification !== undefined && await Notification.requestPermission() === 'granted'
      note.hidden = granted
      note.textContent = globalThis.Notification === undefined ? t('notifyMissing') : t('notifyDenied')
    }
    state.settings.notify = granted
    browser.write('notify', granted)
    changed('settings')
  })
  rename.addEventListener('click', naming.ask)
  leave.addEventListener('click', actions.leaveChat)
  watch(['settings'], draw)
}
