// The shapes of stored values. What a browser kept may be of another version of the page, or
// changed by hand: a value of another shape counts as missing.

/** @import { OutboxEntry } from './outbox.js' */

/**
 * @param {unknown} value
 * @returns {value is string}
 */
export const isString = (value) => typeof value === 'string'

/**
 * @param {unknown} value
 * @returns {value is boolean}
 */
export const isBoolean = (value) => typeof value === 'boolean'

/**
 * @param {unknown} value
 * @returns {value is string[]}
 */
export const isStrings = (value) => Array.isArray(value) && value.every(isString)

/**
 * @param {unknown} value
 * @returns {value is number}
 */
export const isNumber = (value) => typeof value === 'number'

/**
 * @param {unknown} value
 * @returns {value is number[]}
 */
export const isNumbers = (value) => Array.isArray(value) && value.every(isNumber)

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export const isObject = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * @param {unknown} value
 * @returns {value is Record<string, string>}
 */
export const isRecordOfStrings = (value) => isObject(value) && Object.values(value).every(isString)

/**
 * @param {unknown} value
 * @returns {value is unknown[]}
 */
export const isArray = (value) => Array.isArray(value)

/**
 * @param {unknown} value
 * @returns {value is OutboxEntry}
 */
export function isOutboxEntry(value) {
  if (!isObject(value)) return false
  const { cid, room, text, time, status, refusal } = value
  return [cid, room, text].every(isString) && Number.isFinite(time) &&
    (status === 'waiting' || status === 'sending' || status === 'failed') &&
    (refusal === undefined || isObject(refusal) && isString(refusal.code))
}
