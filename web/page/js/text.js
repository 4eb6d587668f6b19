// From what people type to nodes: links, `code`, **bold** and code blocks. No markup is ever parsed; everything that is
// not one of these stays the text it was.

import { h } from './dom.js'

// One alternative per construct, each of which may only match what it is sure of: linear in the text, whatever the text.
const pattern = /```\n?([^`]+?)\n?```|`([^`\n]+)`|\*\*([^*\n]+)\*\*|(https?:\/\/[^\s<>"'`]+)/g

// format returns the nodes of a text.
export function format(text) {
  const nodes = []
  let end = 0
  for (const match of text.matchAll(pattern)) {
    const [whole, block, code, bold, address] = match
    let node
    let length = whole.length
    if (block !== undefined) node = h('pre', null, h('code', null, block))
    else if (code !== undefined) node = h('code', null, code)
    else if (bold !== undefined) node = h('strong', null, bold)
    else {
      const trimmed = trimAddress(address)
      length = trimmed.length
      node = link(trimmed)
    }
    if (!node) continue
    if (match.index > end) nodes.push(text.slice(end, match.index))
    nodes.push(node)
    end = match.index + length
  }
  if (end < text.length) nodes.push(text.slice(end))
  return nodes
}

// trimAddress takes off the punctuation of the sentence that an address ends, and a bracket that was opened before it.
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

function link(address) {
  if (!URL.canParse(address)) return null
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, address)
}

const segmenter = new Intl.Segmenter()

// graphemes counts what a reader calls characters.
export function graphemes(text) {
  let count = 0
  for (const _ of segmenter.segment(text)) count++
  return count
}

export function firstGrapheme(text) {
  for (const { segment } of segmenter.segment(text)) return segment
  return ''
}

const emojiOnly = /^(?:\p{RGI_Emoji}\s*){1,6}$/v

// isEmoji tells whether a text is a few emoji and nothing else.
export function isEmoji(text) {
  return text.length < 80 && emojiOnly.test(text)
}

// hue gives a name its place on the colour circle: the same in every window. Neighbouring hues are kept apart by taking
// one of 24.
export function hue(name) {
  let hash = 2166136261
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
  hash ^= hash >>> 15
  return ((hash >>> 0) % 24) * 15
}
