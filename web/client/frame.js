// Packets of Engine.IO, protocol 4, as transports carry them.

import { fromBase64, isBinary, toBase64 } from './binary.js'

/** @typedef {{ type: string, data?: any }} Frame */

// in the order of their digits
const types = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop']

/** Separates the packets of one HTTP body: protocol 4, "HTTP long-polling". */
export const separator = '\x1e'

/**
 * Returns what goes onto the wire, a promise if it takes time to find out.
 *
 * @param {Frame} frame
 * @param {boolean} asText whether the transport takes no binary data
 */
export function encodeFrame({ type, data }, asText) {
  if (!isBinary(data)) return types.indexOf(type) + (data ?? '')
  return asText ? toBase64(data).then((text) => 'b' + text) : data
}

/**
 * Returns a packet of type "error" for what is none.
 *
 * @param {any} raw
 * @returns {Frame}
 */
export function decodeFrame(raw) {
  if (typeof raw !== 'string') return { type: 'message', data: raw }
  const type = types[raw.charCodeAt(0) - 48]
  if (type) return { type, data: raw.slice(1) }
  try {
    if (raw[0] === 'b') return { type: 'message', data: fromBase64(raw.slice(1)) }
  } catch { /* not base64 */ }
  return { type: 'error', data: 'parser error' }
}
