// What the operator of the server has chosen of the page. The server writes it into the document,
// so that it is there before anything is drawn. See MAKE-IT-YOURS.md.

import { isObject, isString, isStrings } from './shapes.js'

/**
 * What the page knows by its own address: whether it is in a frame of another site, and how that
 * wants it.
 */
const query = new URLSearchParams(globalThis.location?.search ?? '')

/** @returns {Record<string, unknown>} */
function read() {
  try {
    const value = JSON.parse(globalThis.document?.getElementById('settings')?.textContent ?? '{}')
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

const chosen = read()
/** @param {string} key */
const text = (key) => (isString(chosen[key]) ? chosen[key] : '')
/**
 * @param {string} key
 * @returns {string[] | undefined}
 */
const list = (key) => (isStrings(chosen[key]) ? chosen[key] : undefined)

/** @typedef {'rooms' | 'people' | 'instance' | 'panel'} Part */

export const settings = {
  title: text('title') || 'chatapp',
  logo: text('logo'),
  accent: list('accent') ?? [],
  room: text('room'),
  parts: list('parts'), // undefined: all
  languages: list('languages') ?? ['en'],
  isEmbedded: query.has('embed'),
  language: query.get('language') ?? '', // that the other site wants
  theme: query.get('theme') ?? '',
}

/** @param {Part} part */
export const isShown = (part) => settings.parts?.includes(part) ?? true
