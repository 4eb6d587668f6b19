// What a message's text consists of: links, rooms, `code`, **bold**, code blocks, and everything
// else, which stays as it is.

import { findLinks } from './links.js'

/**
 * label is the language that a code block names, room the one that a link leads to. Parts are there
 * where a bold text has links.
 * @typedef {object} Segment
 * @property {'text' | 'link' | 'room' | 'code' | 'codeBlock' | 'bold'} kind
 * @property {string} text
 * @property {Segment[]} [parts]
 * @property {string} [label]
 * @property {string} [room]
 */

// A fence as in CommonMark 4.5: three or more, indented by at most three spaces.
const fence = /^( {0,3})(`{3,}|~{3,})(.*)$/
const inline = /(`+)(?!`)|\*\*([^*\n]+)\*\*/g

/**
 * Splits a text into segments.
 *
 * @param {string} text
 */
export function parse(text) {
  /** @type {Segment[]} */
  const segments = []
  const lines = text.split('\n')
  /** @type {string[]} */
  let plain = []
  for (let i = 0; i < lines.length; i++) {
    const opening = openingFence(lines[i])
    if (!opening) {
      plain.push(lines[i])
      continue
    }
    // A fence that is not closed closes at the end of the text.
    let end = i + 1
    while (end < lines.length && !closes(lines[end], opening.marks)) end++
    if (plain.length > 0) parseInline(plain.join('\n'), segments)
    const [label] = opening.info.split(/\s/, 1)
    // Lines lose as many spaces as stand before the opening fence.
    const indentation = new RegExp(`^ {0,${opening.indentation}}`)
    const code = lines.slice(i + 1, end).map((line) => line.replace(indentation, ''))
    segments.push({ kind: 'codeBlock', text: code.join('\n'), ...(label && { label }) })
    plain = []
    i = end
  }
  if (plain.length > 0) parseInline(plain.join('\n'), segments)
  return segments
}

/** @param {string} line */
function openingFence(line) {
  const match = fence.exec(line)
  if (!match) return undefined
  const [, { length: indentation }, marks, rest] = match
  if (marks[0] === '`' && rest.includes('`')) return undefined // a code span
  return { indentation, marks, info: rest.trim() }
}

/**
 * @param {string} line
 * @param {string} marks of the opening fence
 */
function closes(line, marks) {
  const match = fence.exec(line)
  if (!match) return false
  const [, , closing, rest] = match
  return closing[0] === marks[0] && closing.length >= marks.length && rest.trim() === ''
}

/**
 * @param {string} text without code blocks
 * @param {Segment[]} segments to which those of the text are added
 */
function parseInline(text, segments) {
  let end = 0
  /** @type {Map<string, number>} */
  const missing = new Map() // marks to the place from which on no such marks close a span
  for (const match of text.matchAll(inline)) {
    if (match.index < end) continue
    const [whole, marks, bold] = match
    if (bold !== undefined) {
      addText(text.slice(end, match.index), segments)
      /** @type {Segment[]} */
      const parts = []
      addText(bold, parts)
      const hasLinks = parts.some(({ kind }) => kind !== 'text')
      segments.push({ kind: 'bold', text: bold, ...(hasLinks && { parts }) })
      end = match.index + whole.length
      continue
    }
    const content = missing.has(marks) ? undefined
      : spanContent(text, match.index + marks.length, marks)
    if (content === undefined) missing.set(marks, match.index)
    if (!content || content.includes('\n')) continue
    addText(text.slice(end, match.index), segments)
    segments.push({ kind: 'code', text: unpad(content) })
    end = match.index + 2 * marks.length + content.length
  }
  addText(text.slice(end), segments)
}

/**
 * Returns what stands before the next run of exactly these marks; undefined if there is none.
 *
 * @param {string} text
 * @param {number} from
 * @param {string} marks
 */
function spanContent(text, from, marks) {
  const runs = /`+/g
  runs.lastIndex = from
  for (let run = runs.exec(text); run; run = runs.exec(text)) {
    if (run[0].length === marks.length) return text.slice(from, run.index)
  }
  return undefined
}

/**
 * Removes the spaces that separate marks from backticks at the ends of a code span.
 *
 * @param {string} code
 */
const unpad = (code) => (/^ (?=.*[^ ]).* $/.test(code) ? code.slice(1, -1) : code)

/**
 * @param {string} text
 * @param {Segment[]} segments
 */
function addText(text, segments) {
  let end = 0
  for (const link of findLinks(text)) {
    if (link.start > end) segments.push({ kind: 'text', text: text.slice(end, link.start) })
    const shown = text.slice(link.start, link.end)
    const { room } = link
    segments.push(room === undefined ? { kind: 'link', text: shown }
      : { kind: 'room', text: shown, room })
    end = link.end
  }
  if (end < text.length) segments.push({ kind: 'text', text: text.slice(end) })
}

const segmenter = new Intl.Segmenter()

/**
 * Counts grapheme clusters: what a reader calls characters.
 *
 * @param {string} text
 */
export function graphemes(text) {
  let count = 0
  for (const _ of segmenter.segment(text)) count++
  return count
}

/** @param {string} text */
export function firstGrapheme(text) {
  for (const { segment } of segmenter.segment(text)) return segment
  return ''
}

const emojiOnly = /^(?:\p{RGI_Emoji}\s*){1,6}$/v

/**
 * Reports whether a text is up to six emoji and nothing else.
 *
 * @param {string} text
 */
export function isEmoji(text) {
  return text.length < 80 && emojiOnly.test(text)
}

/**
 * Returns the hue of a name in degrees, the same in every window. It is one of 24, so that hues can
 * be told apart.
 *
 * @param {string} name
 */
export function hue(name) {
  let hash = 2166136261
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
  hash ^= hash >>> 15
  return ((hash >>> 0) % 24) * 15
}
