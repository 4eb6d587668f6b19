// Every word of the page, in the language of the reader.

import { state } from './state.js'
import { browser } from './storage.js'
import en from './en.js'
import ko from './ko.js'

const dictionaries = { en, ko }

const preferred = (navigator.languages ?? [navigator.language])
  .map((tag) => tag.toLowerCase().split('-')[0])
  .find((tag) => Object.hasOwn(dictionaries, tag))

export let language = Object.hasOwn(dictionaries, state.settings.language) ? state.settings.language : preferred ?? 'en'

// locale is the reader's own kind of the language spoken, where he has one: British English has other dates than American.
const locale = () => navigator.languages?.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language

let plurals
let times
let fullTimes
let days
let numbers
let tenths
prepare()

function prepare() {
  plurals = new Intl.PluralRules(language)
  times = new Intl.DateTimeFormat(locale(), { hour: 'numeric', minute: '2-digit' })
  fullTimes = new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' })
  days = new Intl.DateTimeFormat(locale(), { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' })
  numbers = new Intl.NumberFormat(locale())
  tenths = new Intl.NumberFormat(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 })
}

// t is the text of key, with {name} replaced by values.name. A text that depends on a number is written as one text per
// plural category and takes that of values.n.
export function t(key, values) {
  let text = dictionaries[language][key] ?? en[key]
  if (typeof text === 'object') text = text[plurals.select(values.n)] ?? text.other
  if (text === undefined) throw new Error(`no text named ${key}`)
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values?.[name] ?? ''
    return typeof value === 'number' ? numbers.format(value) : value
  })
}

// explain is what a refusal by the server means to a reader.
export function explain(refusal) {
  const key = 'refusal.' + refusal.code
  if (en[key] !== undefined) return t(key, { n: Math.max(1, Math.ceil((refusal.wait ?? 0) / 1000)) })
  return language === 'en' && refusal.message ? refusal.message : t('refusal.unknown')
}

export const clockTime = (ms) => times.format(ms)
export const fullTime = (ms) => fullTimes.format(ms)
export const numberOf = (n) => numbers.format(n)

export function milliseconds(ms) {
  if (ms < 0.1) return t('ms', { ms: '< ' + tenths.format(0.1) })
  return t('ms', { ms: ms < 9.95 ? tenths.format(ms) : numbers.format(Math.round(ms)) })
}

export function dayOf(ms) {
  const day = new Date(ms).toDateString()
  if (day === new Date().toDateString()) return t('today')
  if (day === new Date(Date.now() - 86400000).toDateString()) return t('yesterday')
  return days.format(ms)
}

// speak changes the language of the page and of the browser's other tabs to come.
export function speak(wanted) {
  language = wanted
  state.settings.language = wanted
  browser.write('language', wanted)
  prepare()
}

// translate puts the texts into the elements that name theirs: data-t for the content, data-t-label and
// data-t-placeholder for attributes.
export function translate() {
  document.documentElement.lang = language
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t)
  for (const element of document.querySelectorAll('[data-t-placeholder]')) element.placeholder = t(element.dataset.tPlaceholder)
  for (const element of document.querySelectorAll('[data-t-label]')) {
    const label = t(element.dataset.tLabel)
    element.setAttribute('aria-label', label)
    if (element.tagName === 'BUTTON') element.title = label
  }
}
