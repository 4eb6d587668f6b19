// The page's texts, dates and numbers in the language of the reader.

import { state } from './state.js'
import { browser } from './storage.js'
import { settings } from './settings.js'
import english from './languages/en.js'
import { calendar } from './calendar.js'

/** @import { Refusal } from './state.js' */

/** @typedef {Record<string, string | number | undefined>} Values */
/** @typedef {Record<string, string | Partial<Record<Intl.LDMLPluralRule, string>>>} Dictionary */

// English comes with the page. Texts in other languages are loaded when they are wanted, and those
// that do not arrive, or that a language lacks, are in English.
const fallback = 'en'
/** @type {Record<string, Dictionary>} */
const dictionaries = { [fallback]: english }

const browserLanguages = globalThis.navigator?.languages ?? []

/** @param {string} tag */
const primary = (tag) => tag.toLowerCase().split('-')[0]

const wishes = [settings.language, state.settings.language, ...browserLanguages.map(primary),
  settings.languages[0]]

export let language = fallback
await load(wishes.find((tag) => settings.languages.includes(tag)) ?? fallback)

/**
 * Loads the texts of a language, and speaks it from then on.
 *
 * @param {string} tag
 */
async function load(tag) {
  try {
    const address = new URL(`languages/${tag}.js`, import.meta.url)
    dictionaries[tag] ??= (await import(address.href)).default
    language = tag
  } catch (error) {
    console.warn(`the texts in ${tag} did not arrive:`, error)
  }
}

/**
 * Returns the name of a language in that language.
 *
 * @param {string} tag
 */
export const languageName = (tag) => new Intl.DisplayNames(tag, { type: 'language' }).of(tag) ?? tag

let formats = createFormats()

function createFormats() {
  // The reader's own variety of the language, if they have one: British English writes other dates
  // than American.
  const locale = browserLanguages.find((tag) => primary(tag) === language) ?? language
  return {
    plurals: new Intl.PluralRules(language),
    time: new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }),
    fullTime: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale,
      { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }),
    collator: new Intl.Collator(locale, { numeric: true }),
    number: new Intl.NumberFormat(locale),
    tenths: new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  }
}

/**
 * Returns the text of a key, with {name} replaced by values.name. A text that depends on a number
 * is written once per plural category, and values.n selects the category. Throws if no dictionary
 * has the key.
 *
 * @param {string} key
 * @param {Values} [values]
 */
export function t(key, values = {}) {
  const texts = pieces(key, values).map((piece) => (typeof piece === 'string' ? piece : piece.name))
  return texts.join('')
}

/**
 * @typedef {string | { name: string }} Piece the page's own words, or a value that somebody has
 *   chosen
 */

/**
 * Returns the text of a key in pieces: values that are strings stay apart from the words of the
 * page.
 *
 * @param {string} key
 * @param {Values} [values]
 * @returns {Piece[]}
 */
export function pieces(key, values = {}) {
  const entry = dictionaries[language]?.[key] ?? dictionaries[fallback][key]
  const text = typeof entry === 'object'
    ? entry[formats.plurals.select(Number(values.n))] ?? entry.other
    : entry
  if (text === undefined) throw new Error(`no text named ${key}`)
  /** @type {Piece[]} */
  const found = []
  text.split(/\{(\w+)\}/).forEach((part, i) => {
    if (i % 2 === 0) {
      if (part) found.push(part)
      return
    }
    const value = values[part] ?? ''
    found.push(typeof value === 'number' ? formats.number.format(value) : { name: value })
  })
  return found
}

/**
 * Explains a refusal of the server to the reader.
 *
 * @param {Refusal} refusal
 */
export function explain(refusal) {
  const key = 'refusal.' + refusal.code
  const n = Math.max(1, Math.ceil((refusal.wait ?? 0) / 1000))
  if (dictionaries[fallback][key] !== undefined) return t(key, { n })
  return language === 'en' && refusal.message ? refusal.message : t('refusal.unknown')
}

/** @param {number} ms as Date.now() counts */
export const clockTime = (ms) => formats.time.format(ms)

/** @param {number} ms as Date.now() counts */
export const fullTime = (ms) => formats.fullTime.format(ms)

/**
 * Compares texts in the order of the language, with numbers in them by their value.
 *
 * @param {string} a
 * @param {string} b
 */
export const compare = (a, b) => formats.collator.compare(a, b)

/** @param {number} n */
export const formatNumber = (n) => formats.number.format(n)

/** @param {number} ms */
export function milliseconds(ms) {
  const { number, tenths } = formats
  if (ms < 0.1) return t('ms', { ms: '< ' + tenths.format(0.1) })
  return t('ms', { ms: ms < 9.95 ? tenths.format(ms) : number.format(Math.round(ms)) })
}

/**
 * Names a day: as today, yesterday or by its date.
 *
 * @param {number} ms as Date.now() counts
 */
export function dayName(ms) {
  const ago = calendar.dayOf(Date.now()) - calendar.dayOf(ms)
  if (ago === 0) return t('today')
  if (ago === 1) return t('yesterday')
  return formats.day.format(ms)
}

/**
 * Changes the language of this page, and of tabs opened later.
 *
 * @param {string} wanted
 */
export async function setLanguage(wanted) {
  await load(wanted)
  state.settings.language = language
  browser.write('language', language)
  formats = createFormats()
}
