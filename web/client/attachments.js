// Binary data inside of the arguments of a Socket.IO packet: each is sent after the packet, and a
// placeholder stands where it was: Socket.IO protocol 5, "Packet encoding".

import { isBinary } from './binary.js'

/**
 * Reports whether a value holds binary data anywhere.
 *
 * @param {any} value
 * @returns {boolean}
 */
export function hasBinary(value) {
  if (value === null || typeof value !== 'object') return false
  if (isBinary(value)) return true
  if (typeof value.toJSON === 'function') return hasBinary(value.toJSON())
  return Object.values(value).some(hasBinary)
}

/**
 * Returns a copy of a value with placeholders, and adds the data to attachments.
 *
 * @param {any} value
 * @param {any[]} attachments
 * @returns {any}
 */
export function detach(value, attachments) {
  if (value === null || typeof value !== 'object') return value
  if (isBinary(value)) return { _placeholder: true, num: attachments.push(value) - 1 }
  if (typeof value.toJSON === 'function') return detach(value.toJSON(), attachments)
  if (Array.isArray(value)) return value.map((item) => detach(item, attachments))
  return Object.fromEntries(Object.entries(value)
    .map(([key, item]) => [key, detach(item, attachments)]))
}

/**
 * Returns the value with its data again, and throws if a placeholder has none.
 *
 * @param {any} value
 * @param {any[]} attachments
 * @returns {any}
 */
export function attach(value, attachments) {
  if (value === null || typeof value !== 'object') return value
  if (value._placeholder === true) {
    if (!(value.num in attachments)) throw new Error('illegal attachments')
    return attachments[value.num]
  }
  for (const key of Object.keys(value)) value[key] = attach(value[key], attachments)
  return value
}
