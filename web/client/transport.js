// What the transports of Engine.IO have in common.

import { Emitter } from './emitter.js'
import { decodeFrame } from './frame.js'

/** @typedef {import('./frame.js').Frame} Frame */
/** @typedef {import('./engine.js').Engine} Engine */

/**
 * An error of a transport. description is an HTTP status, an event or an error, whatever is known.
 */
export class TransportError extends Error {
  type = 'TransportError'

  /**
   * @param {string} message
   * @param {unknown} description
   * @param {unknown} context
   */
  constructor(message, description, context) {
    super(message)
    this.description = description
    this.context = context
  }
}

/**
 * Emits "open" when it can be used, "packet", "drain" when it takes the next packets, and in the
 * end "error" or "close", or nothing after close().
 */
export class Transport extends Emitter {
  name = ''
  writable = false
  /** @type {'opening' | 'open' | 'pausing' | 'paused' | 'closed'} */
  readyState = 'opening'
  /** @type {Record<string, any>} */
  query

  /**
   * @param {Engine} engine
   * @param {string} name
   */
  constructor(engine, name) {
    super()
    this.name = name
    this.engine = engine
    this.opts = { ...engine.opts, ...engine.opts.transportOptions?.[name] }
    this.query = { ...this.opts.query, EIO: 4, transport: name }
    if (engine.id) this.query.sid = engine.id
  }

  /**
   * @param {string} scheme "http" or "ws"
   * @param {boolean} stamped whether each address is to be a new one, for caches that hold
   *   everything
   */
  address(scheme, stamped) {
    const { secure, hostname, port } = this.engine
    const query = new URLSearchParams(this.query)
    if (stamped) query.set(this.opts.timestampParam ?? 't', Math.random().toString(36).slice(2, 10))
    const standard = secure ? '443' : '80'
    return scheme + (secure ? 's://' : '://') +
      (hostname.includes(':') ? `[${hostname}]` : hostname) +
      (port && port !== standard ? ':' + port : '') + this.opts.path + '?' + query
  }

  opened() {
    this.readyState = 'open'
    this.writable = true
    this.emit('open')
  }

  /** @param {unknown} raw */
  received(raw) {
    let frame = decodeFrame(raw)
    if (frame.data instanceof ArrayBuffer && this.engine.binaryType === 'blob') {
      frame = { ...frame, data: new Blob([frame.data]) }
    }
    this.emit('packet', frame)
  }

  drained() {
    if (this.readyState === 'closed') return
    this.writable = true
    this.emit('drain')
  }

  /**
   * @param {string} message
   * @param {unknown} description
   * @param {unknown} [context]
   */
  failed(message, description, context) {
    if (this.readyState !== 'closed')
      this.emit('error', new TransportError(message, description, context))
  }

  /** @param {object} details */
  ended(details) {
    if (this.readyState === 'closed') return
    this.readyState = 'closed'
    this.writable = false
    this.emit('close', details)
  }
}
