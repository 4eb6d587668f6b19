// What a message's text consists of: links, `code`, **bold**, code blocks, and everything else,
// which stays as it is.

/** @typedef {{ kind: 'text' | 'link' | 'code' | 'codeBlock' | 'bold', text: string }} Segment */

// Each alternative matches one construct. Matching takes time linear in the text, whatever the text
// is.
const pattern = /```\n?([^`]+?)\n?```|`([^`\n]+)`|\*\*([^*\n]+)\*\*|(https?:\/\/[^\s<>"'`]+)/g

/**
 * Splits a text into segments.
 *
 * @param {string} text
 */
export function parse(text) {
  /** @type {Segment[]} */
  const segments = []
  let end = 0
  for (const match of text.matchAll(pattern)) {
    const [whole, block, code, bold, address] = match
    let length = whole.length
    /** @type {Segment} */
    let segment
    if (block !== undefined) segment = { kind: 'codeBlock', text: block }
    else if (code !== undefined) segment = { kind: 'code', text: code }
    else if (bold !== undefined) segment = { kind: 'bold', text: bold }
    else {
      const trimmed = trimAddress(address)
      if (!URL.canParse(trimmed)) continue
      length = trimmed.length
      segment = { kind: 'link', text: trimmed }
    }
    if (match.index > end) segments.push({ kind: 'text', text: text.slice(end, match.index) })
    segments.push(segment)
    end = match.index + length
  }
  if (end < text.length) segments.push({ kind: 'text', text: text.slice(end) })
  return segments
}

/**
 * Removes punctuation after an address that belongs to the sentence, and a closing bracket that was
 * opened before the address.
 *
 * @param {string} address
 */
function trimAddress(address) {
  let end = address.length
  while (end > 0) {
    const last = address[end - 1]
    if ('.,;:!?…'.includes(last)) end--
    else if (last === ')' && !address.slice(0, end - 1).includes('(')) end--
    else if (last === ']' && !address.slice(0, end - 1).includes('[')) end--
    else break
  }
  return address.slice(0, end)
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
