// The identity of the page's user: a name, the token that resumes it, and everything the user wrote
// or read under it. The tab's storage holds nothing else. Each module that keeps something of an
// identity registers here how to forget it, so that one call ends all of it.
//
// state.me is one object for as long as the identity lasts. What waits for the server compares it
// before and after, and drops an answer to somebody who has left.

import { state, changed } from './state.js'
import { clearTab, recordEnd } from './ended.js'
import { browser } from './storage.js'

/** @type {Set<() => void>} */
const parts = new Set()

/**
 * Registers a function that forgets what a module keeps of an identity.
 *
 * @param {() => void} forget
 */
export function onIdentityEnd(forget) {
  parts.add(forget)
}

/**
 * Returns a resume token for a new user. The page makes it, so that all its claims are of one user,
 * also where one is lost with the server that took it and is found only later.
 */
export function newToken() {
  const random = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))
  return btoa(random).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Ends the identity. The next person at this computer finds nothing of it. */
export function endIdentity() {
  recordEnd(state.me.token)
  state.me = { name: '', requestedName: '', token: undefined }
  state.offset = ''
  state.timings = []
  state.elsewhere = null
  state.wantedLine = null
  state.leftRooms.clear()
  for (const forget of parts) forget()
  clearTab()
  browser.write('nickname', undefined)
  state.nicknameDialog = { open: true, renaming: false, busy: false, refusal: null }
  changed('me', 'nickname', 'rooms', 'room', 'lines', 'outbox', 'people', 'typing', 'timings')
}
