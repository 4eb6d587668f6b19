// What is wrong with the connection, while something is. A connection that comes back quickly, as when the server
// restarts and sends its clients elsewhere, is not worth a word.

import { setText } from '../dom.js'
import { state, watch } from '../state.js'
import { t } from '../i18n.js'

const patience = 1200 // ms without a connection before saying so
const quietPatience = 2500 // the same when the server announced that it goes
const goodNews = 2500 // ms for which the return of the connection is shown

export function createBanner({ banner, text, action, announce, actions }) {
  let shown = false
  let told = '' // what was read out last
  let backSince = 0
  let timer = 0

  function draw() {
    clearTimeout(timer)
    const { link, naming } = state
    const down = Date.now() - link.downSince
    const limit = link.quiet ? quietPatience : patience
    if (naming.open && !naming.renaming && !link.ever) hide() // the card says it
    else if (link.phase === 'replaced') show(t('replaced'), t('useHere'))
    else if (link.phase === 'closed') show(t('ended'), t('retryNow'))
    else if (link.phase === 'online') drawOnline()
    else if (down < limit) timer = setTimeout(draw, limit - down)
    else drawDown()
  }

  function drawDown() {
    const { link } = state
    const why = navigator.onLine ? t('offline') : t('offlineNow')
    const seconds = Math.ceil((link.retryAt - Date.now()) / 1000)
    if (link.phase === 'waiting' && seconds > 0) show(t('reconnectIn', { why, n: seconds }), t('retryNow'), '', why)
    else show(t(link.ever ? 'reconnecting' : 'connecting'), '', '', why)
    timer = setTimeout(draw, 250)
  }

  function drawOnline() {
    if (shown && !backSince) backSince = Date.now()
    const rest = backSince + goodNews - Date.now()
    if (backSince && rest > 0) {
      show(t('reconnected'), '', 'good')
      timer = setTimeout(draw, rest)
      return
    }
    if (state.cluster?.cutOff) show(t('cutOff'), '', 'warning')
    else hide()
    backSince = 0
  }

  // show shows words. They are read out as well, or instead of them what does not change with every second.
  function show(words, button, kind = '', aloud = words) {
    shown = !kind
    if (!kind) backSince = 0
    banner.hidden = false
    banner.className = 'banner ' + kind
    setText(text, words)
    setText(action, button)
    action.hidden = button === ''
    if (aloud !== told) announce(aloud)
    told = aloud
  }

  function hide() {
    shown = false
    banner.hidden = true
    told = ''
  }

  action.addEventListener('click', actions.reconnect)
  addEventListener('offline', draw)
  watch(['link', 'cluster', 'naming', 'settings'], draw)
}
