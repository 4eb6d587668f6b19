// Finds the addresses and the names of rooms in a text. An address is http or https, as the URL
// Standard writes it, without a user name: what stands before an @ is mostly there to deceive. Its
// host ends where a sentence in another script goes on, because Korean, Japanese and Chinese put
// no space there. Brackets that are opened in an address are closed in it.

/**
 * @typedef {{ start: number, end: number, room?: string }} Found room: the name after #, absent in
 *   an address
 */

const begin = /(?<![A-Za-z0-9+\-.])https?:\/\/|(?<![\p{L}\p{N}\p{M}_\/\u0026#])#(?=[\p{L}\p{N}])/giv

// A label of a host name; IDNA allows letters, digits and marks of all scripts.
const label = /[\p{L}\p{N}\p{M}_\-]+/vy
const cjk = /[\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Han}ー]/v
// ASCII, followed by a script that puts no space between words
const mixed =
  /^([A-Za-z0-9\-]*[A-Za-z0-9])(?=[\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Han}])/v
// A top-level domain has letters of one script, so a sentence goes on after this one: in Thai, Lao,
// Khmer and others that put no space between words, or where somebody forgot it.
const asciiDomain = /^[A-Za-z]{2,}(?=[\p{L}--\p{sc=Latin}])/v
// Top-level domains after which a sentence may go on in their own script.
const nativeDomains = ['한국', '닷컴', '닷넷', '삼성', '中国', '中國', '香港', '台湾', '台灣', '公司', '网络', '网址', '商城',
  'みんな', 'コム', 'セール', 'ストア']

// Words that follow a name without a space.
const particles = '에서는|에서도|에서|에게|에는|에도|에|으로|로|은|는|이고|이며|이라고|이랑|이나|이|가|을|를|의|와|과|도|만|부터|까지|처럼|보다|' +
  '라고|랑|인데|입니다|이에요|예요|をご|を|には|に|では|で|から|まで|より|です|が|は|へ|と|の|も|や'
const particleAtEnd = new RegExp(`(?<=[A-Za-z0-9\\/=%\\-\\)\\]])(?:${particles})$`, 'v')
// Japanese goes on after a particle.
const goesOn = /(?<=[A-Za-z0-9\/=%\-\)\]])[をにではがへとのもや]\p{L}*$/v

// What never belongs to an address: spaces, controls, invisible and bidirectional characters,
// quotation marks, full-width punctuation and brackets. ZWNJ and ZWJ join letters.
const outside =
  /[\s\p{Cc}\p{Zl}\p{Zp}\p{Cf}<>"`\\“”„«»‹›、。，．！？：；｡､（）「」『』【】《》〈〉〔〕［］｛｝｢｣…‥・※→←]/v
const joiner = /[\u200C\u200D]/
const pairs = new Map([['(', ')'], ['[', ']'], ['{', '}']])
const brackets = new Set('()[]{}')
const trailing = /[.,;:!?*'‘’|\u00B7]$/

/**
 * Returns the addresses and rooms in a text, in order. Takes time linear in the text.
 *
 * @param {string} text
 */
export function findLinks(text) {
  /** @type {Found[]} */
  const found = []
  let from = 0
  /** @type {Map<number, number> | undefined} */
  let partners
  for (const match of text.matchAll(begin)) {
    if (match.index < from) continue
    partners ??= partnersIn(text)
    const one = match[0] === '#' ? roomAt(text, match.index)
      : addressAt(text, match.index, match[0].length, partners)
    if (!one) continue
    found.push(one)
    from = one.end
  }
  return found
}

/**
 * Returns the places of the brackets that close each other, both ways. Only brackets without a
 * space between them do.
 *
 * @param {string} text
 */
function partnersIn(text) {
  /** @type {Map<number, number>} */
  const partners = new Map()
  /** @type {{ closing: string, at: number }[]} */
  let open = []
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    const closing = pairs.get(c)
    if (closing) open.push({ closing, at: i })
    else if (brackets.has(c)) {
      const opening = open.pop()
      if (opening?.closing === c) {
        partners.set(i, opening.at)
        partners.set(opening.at, i)
      } else open = []
    } else if (open.length > 0 && outside.test(c) && !joiner.test(c)) open = []
  }
  return partners
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} schemeLength
 * @param {Map<number, number>} partners
 * @returns {Found | undefined}
 */
function addressAt(text, start, schemeLength, partners) {
  const at = start + schemeLength
  const host = text[at] === '[' ? literalEnd(text, at) : hostEnd(text, at)
  if (host === undefined) return undefined
  let end = host
  const port = /:\d{1,5}(?![\d\w])/vy
  port.lastIndex = end
  end += port.exec(text)?.[0].length ?? 0
  // What continues like a host or a user name but is none makes another address of it.
  if (/[%@\\_]/v.test(text[end] ?? '') || isUserName(text, end)) return undefined
  if ('/?#'.includes(text[end] ?? ' ')) end = pathEnd(text, end, partners)
  return URL.canParse(text.slice(start, end)) ? { start, end } : undefined
}

/**
 * Returns where an IPv6 address in brackets ends.
 *
 * @param {string} text
 * @param {number} at
 */
function literalEnd(text, at) {
  const literal = /\[[0-9a-fA-F:.]{2,45}\]/y
  literal.lastIndex = at
  const match = literal.exec(text)
  return match ? at + match[0].length : undefined
}

/**
 * Reports whether a user name and password stand at a place: an @ follows before the path.
 *
 * @param {string} text
 * @param {number} at
 */
function isUserName(text, at) {
  if (text[at] !== ':') return false
  for (let i = at; i < text.length && !outside.test(text[i]) && !'/?#'.includes(text[i]); i++) {
    if (text[i] === '@') return true
  }
  return false
}

/**
 * Returns where the host name at a place ends; undefined if there is none.
 *
 * @param {string} text
 * @param {number} at
 */
function hostEnd(text, at) {
  /** @type {{ start: number, text: string }[]} */
  const labels = []
  for (let i = at; ;) {
    label.lastIndex = i
    const match = label.exec(text)
    if (!match) break
    labels.push({ start: i, text: match[0] })
    i += match[0].length
    if (text[i] !== '.') break
    i++
  }
  const last = labels.at(-1)
  if (!last || !/[\p{L}\p{N}]/v.test(last.text)) return undefined
  const whole = last.start + last.text.length
  // which covers a label that mixes scripts, such as www.lg전자.kr
  if (!cjk.test(last.text)) {
    const domain = labels.length > 1 && asciiDomain.exec(last.text)
    return domain ? last.start + domain[0].length : whole
  }
  for (const [i, { start, text: name }] of labels.entries()) {
    const ascii = mixed.exec(name)?.[1]
    if (ascii !== undefined && (i > 0 || labels.length === 1)) return start + ascii.length
  }
  const domain = labels.length > 1 && nativeDomains.find((native) => last.text.startsWith(native))
  return domain ? last.start + domain.length : whole
}

/**
 * Returns where the path, query and fragment that begin at a place end.
 *
 * @param {string} text
 * @param {number} at
 * @param {Map<number, number>} partners of all brackets in the text
 */
function pathEnd(text, at, partners) {
  let end = at
  for (; end < text.length; end++) {
    const c = text[end]
    if (outside.test(c) && !joiner.test(c)) break
    // A bracket that is not closed in the address, or not opened in it, belongs to the sentence.
    if (brackets.has(c) && (partners.get(end) ?? -1) < at) break
  }
  while (end > at && trailing.test(text[end - 1])) end--
  const path = text.slice(at, end)
  const tail = path.slice(-24) // no particle is longer
  const sentence = particleAtEnd.exec(tail) ?? goesOn.exec(tail)
  return sentence ? end - (tail.length - sentence.index) : end
}

// UAX #31: what identifiers and hashtags consist of.
const roomName = /[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}_\-]{0,62}[\p{L}\p{N}\p{M}])?/vy

/**
 * @param {string} text
 * @param {number} start
 * @returns {Found | undefined}
 */
function roomAt(text, start) {
  roomName.lastIndex = start + 1
  const match = roomName.exec(text)
  if (!match || !/\p{L}/v.test(match[0])) return undefined // a number is no room
  const name = match[0].replace(particleAtEnd, '')
  return { start, end: start + 1 + name.length, room: name }
}
