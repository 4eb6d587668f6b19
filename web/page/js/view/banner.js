// Says what is wrong with the connection, while something is. A connection that comes back quickly,
// as when an instance is replaced and releases its clients to another, is not mentioned.

import { setText } from '../dom.js'
import { now } from '../clock.js'
import { state, watch } from '../state.js'
import { onIdentityEnd } from '../identity.js'
import { t } from '../i18n.js'

/** @import { Actions } from '../actions.js' */

const toleratedFor = 1200 // ms without a connection before the banner shows
const toleratedAtFirst = 2500 // the same while the first attempt to come back may succeed
const reconnectedFor = 2500 // ms for which the banner says that the connection is back
const countdownEvery = 250 // ms

/**
 * @param {object} options
 * @param {HTMLElement} options.banner
 * @param {HTMLElement} options.text
 * @param {HTMLButtonElement} options.action
 * @param {(text: string) => void} options.announce
 * @param {Pick<Actions, 'reconnect'>} options.actions
 */
export function createBanner({ banner, text, action, announce, actions }) {
  let shownAsDown = false
  let lastAnnounced = ''
  let backSince = 0 // since when the connection is back and the banner says so, as now() counts
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  function draw() {
    clearTimeout(timer)
    const { link, nicknameDialog } = state
    const down = now() - link.downSince
    const tolerated = link.quiet ? toleratedAtFirst : toleratedFor
    // the dialog says it
    if (nicknameDialog.open && !nicknameDialog.renaming && !link.wasOnline) hide()
    else if (link.phase === 'replaced' && link.wasOnline) show(t('replaced'), t('useHere'))
    else if (link.phase === 'replaced')
      show(t('inUse', { name: state.me.requestedName }), t('useHere'))
    else if (link.phase === 'closed') show(t('ended'), t('retryNow'))
    else if (link.phase === 'online') drawOnline()
    else if (down < tolerated) timer = setTimeout(draw, tolerated - down)
    else drawDown()
  }

  function drawDown() {
    const { link } = state
    const why = !navigator.onLine ? t('trouble.offline')
      : link.trouble ? t('trouble.' + link.trouble) : t('offline')
    const seconds = Math.ceil((link.retryAt - now()) / 1000)
    if (link.phase === 'waiting' && seconds > 0)
      show(t('reconnectIn', { why, n: seconds }), t('retryNow'), '', why)
    else show(t(link.wasOnline ? 'reconnecting' : 'connecting'), '', '', why)
    timer = setTimeout(draw, countdownEvery)
  }

  function drawOnline() {
    if (shownAsDown && !backSince) backSince = now()
    const rest = backSince + reconnectedFor - now()
    if (backSince && rest > 0) {
      show(t('reconnected'), '', 'good')
      timer = setTimeout(draw, rest)
      return
    }
    if (state.cluster?.cutOff) show(t('cutOff'), '', 'warning')
    else if (state.cluster?.unsaved) show(t('unsaved'), '', 'warning')
    else hide()
    backSince = 0
  }

  /**
   * Shows a message, and has it read out. A message that changes every second has another text read
   * out instead.
   *
   * @param {string} words
   * @param {string} button its label; none: no button
   * @param {'' | 'good' | 'warning'} [kind] empty: an error
   * @param {string} [spoken]
   */
  function show(words, button, kind = '', spoken = words) {
    shownAsDown = !kind
    if (!kind) backSince = 0
    banner.hidden = false
    banner.className = 'banner ' + kind
    setText(text, words)
    setText(action, button)
    action.hidden = button === ''
    if (spoken !== lastAnnounced) announce(spoken)
    lastAnnounced = spoken
  }

  function hide() {
    shownAsDown = false
    banner.hidden = true
    lastAnnounced = ''
  }

  action.addEventListener('click', actions.reconnect)
  addEventListener('offline', draw)
  onIdentityEnd(() => {
    hide()
    setText(text, '') // it may name the user
  })
  watch(['link', 'cluster', 'nickname', 'settings'], draw)
}
