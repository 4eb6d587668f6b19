// Binary data: what counts as such, and its form in base64.

/**
 * @param {unknown} value
 * @returns {value is ArrayBuffer | ArrayBufferView | Blob}
 */
export function isBinary(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value) ||
    typeof Blob === 'function' && value instanceof Blob // a File is one, too
}

/**
 * @param {ArrayBuffer | ArrayBufferView | Blob} data
 * @returns {Promise<Uint8Array> | Uint8Array}
 */
function bytesOf(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return data.arrayBuffer().then((buffer) => new Uint8Array(buffer))
}

const chunk = 0x8000 // arguments that every engine takes in one call

/** @param {ArrayBuffer | ArrayBufferView | Blob} data */
export async function toBase64(data) {
  const bytes = await bytesOf(data)
  let text = ''
  for (let i = 0; i < bytes.length; i += chunk)
    text += String.fromCharCode(...bytes.subarray(i, i + chunk))
  return btoa(text)
}

/**
 * Throws if the text is not base64.
 *
 * @param {string} text
 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer
}

/** @param {ArrayBuffer | ArrayBufferView | Blob} data */
export function sizeOf(data) {
  return 'size' in data ? data.size : data.byteLength
}
