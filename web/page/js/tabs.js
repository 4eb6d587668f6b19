// The tabs of one browser. A tab that is new, or a copy of another, asks whether somebody chats in
// one already, and does not take the chat over without being told to.

import { isObject, isString, isStrings } from './shapes.js'

const answerWithin = 1000 // ms for tabs in browsers that do not tell how many there are
const patience = 20000 // ms for tabs that are there, but busy or throttled
const nobody = 'nobody'

/**
 * Who chats in another tab, where, and the client message ids of what they have said.
 * @typedef {{ name: string, token: string, rooms: string[], cids: string[] }} Elsewhere
 */
/**
 * A message that a tab has sent.
 * @typedef {{ token: string, cid: string }} OwnMessage token is that of its user
 */

/**
 * Opens a channel to the other tabs; to none where the browser forbids it, as some do where they
 * keep no cookies.
 *
 * @param {string} name
 * @returns {Pick<BroadcastChannel, 'postMessage' | 'addEventListener'>}
 */
export function openChannel(name) {
  try {
    return new BroadcastChannel(name)
  } catch {
    return Object.assign(new EventTarget(), { postMessage() {} })
  }
}

/**
 * @param {object} options
 * @param {Pick<BroadcastChannel, 'postMessage' | 'addEventListener'>} options.channel that all tabs
 *   share
 * @param {() => Elsewhere | undefined} options.inUse who chats in this tab
 * @param {(message: OwnMessage) => void} [options.onSent] is called for what another tab sends
 * @param {Pick<LockManager, 'request' | 'query'>} [options.locks] by which a tab knows how many
 *   others there are; browsers have none where the page came over plain HTTP
 */
export function createTabs({ channel, inUse, onSent, locks }) {
  /** @type {((answer: Elsewhere | undefined) => void) | undefined} */
  let heard

  channel.addEventListener('message', (event) => {
    if (event.data === 'who') channel.postMessage(inUse() ?? nobody)
    else if (isElsewhere(event.data)) heard?.({ cids: [], ...event.data })
    else if (event.data === nobody) heard?.(undefined)
    else if (isOwnMessage(event.data)) onSent?.(event.data)
  })

  // Each tab shares this lock from now on, when it listens, until it is closed.
  const lock = 'chatapp tab ' + (globalThis.location?.pathname ?? '')
  /** @type {Promise<void>} */
  const held = new Promise((resolve) => {
    if (!locks) resolve()
    else locks.request(lock, { mode: 'shared' }, () => {
      resolve()
      return new Promise(() => {})
    }).catch(() => resolve())
  })

  /** Returns how many other tabs there are. */
  async function countOthers() {
    if (!locks) return 0
    await held
    const all = (await locks.query()).held ?? []
    return all.filter(({ name }) => name === lock).length - 1
  }

  /**
   * Returns who chats in another tab, and does so late if one is too busy to answer.
   *
   * @returns {Promise<Elsewhere | undefined>}
   */
  function find() {
    return new Promise((resolve) => {
      let others = Infinity
      let quiet = 0 // tabs in which nobody chats
      heard = (answer) => {
        if (!answer) quiet++
        if (answer || quiet >= others) resolve(answer)
      }
      channel.postMessage('who')
      setTimeout(async () => {
        others = await countOthers().catch(() => 0)
        if (quiet >= others) resolve(undefined)
        else setTimeout(resolve, patience, undefined)
      }, answerWithin)
    })
  }

  /**
   * Tells the other tabs of a message: it is their user's own as well, if that is the same.
   *
   * @param {OwnMessage} message
   */
  const tellSent = (message) => channel.postMessage(message)

  return { find, tellSent }
}

/**
 * @param {unknown} value
 * @returns {value is Omit<Elsewhere, 'cids'> & Partial<Elsewhere>} without cids where the other tab
 *   has an older page
 */
const isElsewhere = (value) =>
  isObject(value) && isString(value.name) && isString(value.token) && isStrings(value.rooms) &&
  (!('cids' in value) || isStrings(value.cids))

/**
 * @param {unknown} value
 * @returns {value is OwnMessage}
 */
const isOwnMessage = (value) => isObject(value) && isString(value.token) && isString(value.cid)
