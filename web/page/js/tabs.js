// The tabs of one browser. A tab that is new, or a copy of another, asks whether somebody chats in
// one already, and does not take the chat over without being told to.

import { isObject, isString, isStrings } from './shapes.js'

const answerWithin = 1000 // ms; another tab may be busy or throttled

/**
 * @typedef {{ name: string, token: string, rooms: string[] }} Elsewhere who chats in another tab,
 *   and where
 */

/**
 * @param {object} options
 * @param {Pick<BroadcastChannel, 'postMessage' | 'addEventListener'>} options.channel that all tabs
 *   share
 * @param {() => Elsewhere | undefined} options.inUse who chats in this tab
 */
export function createTabs({ channel, inUse }) {
  /** @type {((found: Elsewhere) => void) | undefined} */
  let found

  channel.addEventListener('message', (event) => {
    if (event.data === 'who') {
      const answer = inUse()
      if (answer) channel.postMessage(answer)
    } else if (isElsewhere(event.data)) found?.(event.data)
  })

  /**
   * Returns who chats in another tab.
   *
   * @returns {Promise<Elsewhere | undefined>}
   */
  function find() {
    return new Promise((resolve) => {
      found = resolve
      setTimeout(resolve, answerWithin, undefined)
      channel.postMessage('who')
    })
  }

  return { find }
}

/**
 * @param {unknown} value
 * @returns {value is Elsewhere}
 */
const isElsewhere = (value) =>
  isObject(value) && isString(value.name) && isString(value.token) && isStrings(value.rooms)
