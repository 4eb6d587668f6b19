// Completes what one types: names after @, and emoji after a colon.

import { emoji } from './emoji.js'

const mostOffered = 6
const shortestCode = 2 // characters after a colon: ":)" and a time of day offer nothing

/**
 * from and to are where the insertion goes.
 * @typedef {{ label: string, insert: string, from: number, to: number }} Offer
 */

/**
 * Returns what may complete the word before the caret.
 *
 * @param {string} text
 * @param {number} caret
 * @param {Iterable<string>} names
 * @returns {Offer[]}
 */
export function offersFor(text, caret, names) {
  const before = text.slice(0, caret)
  const at = /(?<![\p{L}\p{N}_])@([^\s@]{0,32})$/u.exec(before)
  if (at) {
    const wanted = fold(at[1])
    const found = [...names].filter((name) => fold(name).startsWith(wanted))
    return found.slice(0, mostOffered).map((name) => (
      { label: name, insert: `@${name} `, from: at.index, to: caret }))
  }
  const colon = /(?<![\p{L}\p{N}:]):([a-z0-9_+-]+)$/u.exec(before)
  if (!colon || colon[1].length < shortestCode) return []
  const codes = [...emoji.keys()]
  const found = [...codes.filter((code) => code.startsWith(colon[1])),
    ...codes.filter((code) => !code.startsWith(colon[1]) && code.includes(colon[1]))]
  return found.slice(0, mostOffered).map((code) => ({
    label: `${emoji.get(code)} :${code}:`, insert: `${emoji.get(code)} `, from: colon.index,
    to: caret,
  }))
}

/**
 * Returns a text in which whole shortcodes are emoji, except in code.
 *
 * @param {string} text
 */
export const withEmoji = (text) => (text.includes('`') ? text
  : text.replace(/(?<![\p{L}\p{N}:]):([a-z0-9_+-]{2,}):(?![\p{L}\p{N}])/gu,
    (whole, code) => emoji.get(code) ?? whole))

/** @param {string} text */
const fold = (text) => text.normalize('NFKC').toLocaleLowerCase()
