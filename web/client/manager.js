// The connection to one server, which the sockets of all its namespaces share, and which is made
// again after a loss.

import { Backoff } from './backoff.js'
import { Emitter } from './emitter.js'
import { Engine } from './engine.js'
import * as defaultParser from './packet.js'
import { Socket } from './socket.js'
import { locate } from './address.js'

/**
 * Emits "open", "error", "close", "ping", "packet", "reconnect_attempt", "reconnect",
 * "reconnect_error" and "reconnect_failed".
 */
export class Manager extends Emitter {
  /** @type {Record<string, Socket>} */
  nsps = {}
  /** @type {Engine | undefined} */
  engine
  skipReconnect = false
  /** @type {'closed' | 'opening' | 'open'} */
  readyState = 'closed'
  reconnecting = false
  /** @type {(() => void)[]} */
  #cleanups = [] // of the connection, or of the attempt to make one

  /**
   * @param {any} [uri] of the server; that of the page if it is missing
   * @param {Record<string, any>} [opts]
   */
  constructor(uri, opts) {
    super()
    if (typeof uri === 'object' && uri) [uri, opts] = [undefined, uri]
    opts ??= {}
    this.server = locate(uri, opts)
    this.uri = this.server.uri
    this.opts = { ...opts, path: this.server.path, query: this.server.query }
    this.backoff = new Backoff(opts.reconnectionDelay || 1000, opts.reconnectionDelayMax || 5000,
      opts.randomizationFactor ?? 0.5)
    this.#reconnection = opts.reconnection !== false
    this.#attempts = opts.reconnectionAttempts || Infinity
    this.#timeout = opts.timeout ?? 20000
    const parser = opts.parser ?? defaultParser
    this.encoder = new parser.Encoder()
    this.decoder = new parser.Decoder()
    this.autoConnect = opts.autoConnect !== false
    if (this.autoConnect) this.open()
  }

  /** @type {boolean} */
  #reconnection
  /** @type {number} */
  #attempts
  /** @type {number | false} ms, or false for no limit */
  #timeout

  /** @param {boolean} [value] */
  reconnection(value) {
    if (value === undefined) return this.#reconnection
    this.#reconnection = Boolean(value)
    if (!value) this.skipReconnect = true
    return this
  }

  /** @param {number} [value] */
  reconnectionAttempts(value) {
    if (value === undefined) return this.#attempts
    this.#attempts = value
    return this
  }

  /** @param {number} [value] ms */
  reconnectionDelay(value) {
    if (value === undefined) return this.backoff.min
    this.backoff.min = value
    return this
  }

  /** @param {number} [value] ms */
  reconnectionDelayMax(value) {
    if (value === undefined) return this.backoff.max
    this.backoff.max = value
    return this
  }

  /** @param {number} [value] */
  randomizationFactor(value) {
    if (value === undefined) return this.backoff.jitter
    this.backoff.jitter = value
    return this
  }

  /** @param {number | false} [value] ms */
  timeout(value) {
    if (value === undefined) return this.#timeout
    this.#timeout = value
    return this
  }

  /**
   * Makes the connection, unless it is there or being made.
   *
   * @param {(error?: Error) => void} [done]
   */
  open(done) {
    if (this.readyState !== 'closed') return this
    this.readyState = 'opening'
    this.skipReconnect = false
    const engine = this.engine = new Engine(this.server, this.opts)
    /** @param {Error} error */
    const failed = (error) => {
      this.#cleanUp()
      this.readyState = 'closed'
      this.emit('error', error)
      if (done) done(error)
      else if (!this.reconnecting && this.#reconnection && this.backoff.attempts === 0)
        this.#reconnect()
    }
    this.#listen(engine, 'open', () => {
      this.#opened(engine)
      done?.()
    })
    this.#listen(engine, 'error', failed)
    if (this.#timeout !== false) {
      this.#later(() => {
        failed(new Error('timeout'))
        engine.close()
      }, this.#timeout)
    }
    return this
  }

  /** @param {(error?: Error) => void} [done] */
  connect(done) {
    return this.open(done)
  }

  /**
   * @param {Emitter} emitter
   * @param {string} event
   * @param {(...args: any[]) => void} listener
   */
  #listen(emitter, event, listener) {
    emitter.on(event, listener)
    this.#cleanups.push(() => emitter.off(event, listener))
  }

  /**
   * @param {() => void} callback
   * @param {number} delay ms
   */
  #later(callback, delay) {
    const timer = setTimeout(callback, delay)
    this.#cleanups.push(() => clearTimeout(timer))
  }

  #cleanUp() {
    for (const cleanup of this.#cleanups.splice(0)) cleanup()
    this.decoder.destroy()
  }

  /** @param {Engine} engine */
  #opened(engine) {
    this.#cleanUp()
    this.readyState = 'open'
    this.#listen(engine, 'ping', () => this.emit('ping'))
    this.#listen(engine, 'data', (data) => {
      try {
        this.decoder.add(data)
      } catch (error) {
        this.#closed('parse error', error)
      }
    })
    this.#listen(engine, 'error', (error) => this.emit('error', error))
    this.#listen(engine, 'close', (reason, details) => this.#closed(reason, details))
    // Each packet in a task of its own: an error in a listener is not one of the decoder.
    this.#listen(this.decoder, 'decoded',
      (packet) => queueMicrotask(() => this.emit('packet', packet)))
    this.emit('open')
  }

  /**
   * Returns the socket of a namespace; there is one.
   *
   * @param {string} nsp
   * @param {Record<string, any>} [opts]
   */
  socket(nsp, opts) {
    const known = this.nsps[nsp]
    if (known) {
      if (this.autoConnect && !known.active) known.connect()
      return known
    }
    return this.nsps[nsp] = new Socket(this, nsp, opts)
  }

  /**
   * @param {import('./packet.js').Packet} packet
   */
  write(packet) {
    for (const message of this.encoder.encode(packet)) this.engine?.write(message)
  }

  /** Closes the connection if no socket needs it any more. */
  release() {
    if (!Object.values(this.nsps).some((socket) => socket.active)) this.disconnect()
  }

  /** Closes the connection, and does not make it again. */
  disconnect() {
    this.skipReconnect = true
    this.reconnecting = false
    this.#closed('forced close')
  }

  close() {
    this.disconnect()
  }

  /**
   * @param {string} reason
   * @param {unknown} [details]
   */
  #closed(reason, details) {
    this.#cleanUp()
    this.engine?.close()
    this.backoff.reset()
    this.readyState = 'closed'
    this.emit('close', reason, details)
    if (this.#reconnection && !this.skipReconnect) this.#reconnect()
  }

  #reconnect() {
    if (this.reconnecting || this.skipReconnect) return
    if (this.backoff.attempts >= this.#attempts) {
      this.backoff.reset()
      this.emit('reconnect_failed')
      return
    }
    this.reconnecting = true
    this.#later(() => {
      if (this.skipReconnect) return
      this.emit('reconnect_attempt', this.backoff.attempts)
      if (this.skipReconnect) return
      this.open((error) => {
        this.reconnecting = false
        if (error) {
          this.#reconnect()
          this.emit('reconnect_error', error)
          return
        }
        const attempt = this.backoff.attempts
        this.backoff.reset()
        this.emit('reconnect', attempt)
      })
    }, this.backoff.duration())
  }
}
