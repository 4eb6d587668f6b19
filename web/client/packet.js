// Packets of Socket.IO, protocol 5, in the default encoding.

import { attach, detach, hasBinary } from './attachments.js'
import { isBinary } from './binary.js'
import { Emitter } from './emitter.js'

/**
 * @typedef {object} Packet
 * @property {number} type
 * @property {string} nsp
 * @property {any} [data]
 * @property {number} [id] of an event that asks for an acknowledgement, or of one
 */

export const PacketType = {
  CONNECT: 0, DISCONNECT: 1, EVENT: 2, ACK: 3, CONNECT_ERROR: 4, BINARY_EVENT: 5, BINARY_ACK: 6,
}
const binaryOffset = PacketType.BINARY_EVENT - PacketType.EVENT

/** Names of events that no application may send. */
export const reservedEvents = [
  'connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener',
]

export class Encoder {
  /**
   * Returns the text of a packet and its attachments.
   *
   * @param {Packet} packet
   * @returns {any[]}
   */
  encode({ type, nsp, data, id }) {
    /** @type {any[]} */
    const attachments = []
    let head = String(type)
    if ((type === PacketType.EVENT || type === PacketType.ACK) && hasBinary(data)) {
      data = detach(data, attachments)
      head = type + binaryOffset + (attachments.length + '-')
    }
    if (nsp && nsp !== '/') head += nsp + ','
    return [head + (id ?? '') + (data === undefined ? '' : JSON.stringify(data)), ...attachments]
  }
}

/** Emits "decoded" with each packet, once its attachments are there. */
export class Decoder extends Emitter {
  /** @type {{ packet: Packet, count: number, attachments: any[] } | undefined} */
  #incomplete

  /**
   * Takes the next message, and throws if it is not to be expected.
   *
   * @param {any} message
   */
  add(message) {
    const waiting = this.#incomplete
    if (typeof message === 'string') {
      if (waiting) throw new Error('got plaintext data when reconstructing a packet')
      const { packet, count } = parse(message)
      if (count > 0) this.#incomplete = { packet, count, attachments: [] }
      else this.emit('decoded', packet)
    } else if (isBinary(message)) {
      if (!waiting) throw new Error('got binary data when not reconstructing a packet')
      if (waiting.attachments.push(message) < waiting.count) return
      this.#incomplete = undefined
      waiting.packet.data = attach(waiting.packet.data, waiting.attachments)
      this.emit('decoded', waiting.packet)
    } else throw new Error('Unknown type: ' + message)
  }

  /** Forgets a packet whose attachments have not come. */
  destroy() {
    this.#incomplete = undefined
  }
}

const grammar = /^(\d)(?:(\d+)-)?(?:(\/[^,]*)(?:,|$))?(\d*)(.*)$/s

/**
 * Returns a packet, and how many attachments follow.
 *
 * @param {string} text
 * @returns {{ packet: Packet, count: number }}
 */
function parse(text) {
  const [, digit, attachments, nsp = '/', id, json] = grammar.exec(text) ?? []
  let type = Number(digit)
  const binary = type >= PacketType.BINARY_EVENT
  if (binary) type -= binaryOffset
  if (!(type <= PacketType.CONNECT_ERROR) || binary === (attachments === undefined))
    throw new Error('illegal packet')
  let data
  try {
    data = json ? JSON.parse(json) : undefined
  } catch {
    throw new Error('invalid payload')
  }
  if (!isValid(type, data)) throw new Error('invalid payload')
  const packet = { type, nsp, data, ...(id && { id: Number(id) }) }
  return { packet, count: Number(attachments ?? 0) }
}

/**
 * @param {number} type
 * @param {any} data
 */
function isValid(type, data) {
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data)
  switch (type) {
    case PacketType.CONNECT: return data === undefined || isObject
    case PacketType.DISCONNECT: return data === undefined
    case PacketType.CONNECT_ERROR: return typeof data === 'string' || isObject
    case PacketType.ACK: return Array.isArray(data)
    default: return Array.isArray(data) &&
      (typeof data[0] === 'number' || typeof data[0] === 'string' &&
        !reservedEvents.includes(data[0]))
  }
}
