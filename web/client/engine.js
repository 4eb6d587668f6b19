// One session of Engine.IO, protocol 4: handshake, heartbeat and the queue of what is to be sent.
// It begins on the first transport, and goes over to a better one while it lasts: see upgrade.js.

import { isBinary, sizeOf } from './binary.js'
import { Emitter } from './emitter.js'
import { Polling } from './polling.js'
import { probe } from './upgrade.js'
import { WebSocketTransport } from './websocket.js'

/** @typedef {import('./frame.js').Frame} Frame */
/** @typedef {import('./transport.js').Transport} Transport */
/**
 * @typedef {Transport & { open(): void, send(frames: Frame[]): void, close(): void }} AnyTransport
 */

/** @type {Record<string, new (engine: Engine) => AnyTransport>} */
const transports = { polling: Polling, websocket: WebSocketTransport }

let lastWasWebSocket = false // for rememberUpgrade

const inPage = typeof addEventListener === 'function'
const encoder = new TextEncoder()

/** @param {any} data */
const lengthOf = (data) => data === undefined ? 0
  : isBinary(data) ? Math.ceil(sizeOf(data) / 3) * 4 : encoder.encode(data).length

/**
 * Emits "open", "data" and "message" with each message, "packet", "ping", "handshake", "upgrading",
 * "upgrade" and "upgradeError", "flush", "drain", "error", and in the end "close" with a reason and
 * details.
 */
export class Engine extends Emitter {
  /** @type {string | null} */
  id = null
  /** @type {'opening' | 'open' | 'closing' | 'closed'} */
  readyState = 'opening'
  /** @type {Frame[]} */
  writeBuffer = []
  upgrading = false
  /** Of received data: "arraybuffer" or "blob". */
  binaryType = 'arraybuffer'
  /** @type {AnyTransport} */
  // @ts-ignore: set before anybody sees it
  transport
  #inFlight = 0 // packets at the head of writeBuffer that the transport is sending
  #patience = 0 // ms without a ping after which the server is dead
  #deadline = Infinity
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #maxPayload = 0

  /**
   * @param {{ secure: boolean, hostname: string, port: string }} server
   * @param {Record<string, any>} opts
   */
  constructor({ secure, hostname, port }, opts) {
    super()
    this.secure = secure
    this.hostname = hostname
    this.port = port
    this.opts = { ...opts }
    this.opts.path = opts.path.replace(/\/$/, '') + (opts.addTrailingSlash === false ? '' : '/')
    /** @type {string[]} */
    this.transports = (opts.transports ?? Object.keys(transports))
      .filter((/** @type {string} */ t) => transports[t])
    if (inPage) {
      if (opts.closeOnBeforeunload) addEventListener('beforeunload', this.#leave)
      if (hostname !== 'localhost') addEventListener('offline', this.#offline)
    }
    this.#open()
  }

  #open() {
    const remembered = this.opts.rememberUpgrade && lastWasWebSocket &&
      this.transports.includes('websocket')
    const name = remembered ? 'websocket' : this.transports[0]
    if (!name) {
      setTimeout(() => this.#fail(new Error('No transports available')))
      return
    }
    const transport = this.createTransport(name)
    this.useTransport(transport)
    transport.open()
  }

  /** @param {string} name */
  createTransport(name) {
    return new transports[name](this)
  }

  /** @param {AnyTransport} transport */
  useTransport(transport) {
    this.transport?.off()
    this.transport = transport
    transport
      .on('packet', (packet) => this.#receive(packet))
      .on('drain', () => this.#drain())
      .on('error', (error) => this.#fail(error))
      .on('close', (details) => this.#end('transport close', details))
  }

  /** @param {Frame} packet */
  #receive(packet) {
    if (this.readyState === 'closed') return
    const { type, data } = packet
    this.emit('packet', packet)
    this.emit('heartbeat')
    if (type === 'open') this.#shakeHands(data)
    else if (type === 'ping') {
      this.#queue({ type: 'pong' })
      this.emit('ping')
      this.#expectPing()
    } else if (type === 'message') {
      this.emit('data', data)
      this.emit('message', data)
    } else if (type === 'error') this.#fail(
      Object.assign(new Error('server error'), { code: data }))
  }

  /** @param {string} data */
  #shakeHands(data) {
    let handshake
    try {
      handshake = JSON.parse(data)
    } catch (error) {
      this.#fail(Object.assign(new Error('server error'), { code: 'parser error', cause: error }))
      return
    }
    this.emit('handshake', handshake)
    this.id = this.transport.query.sid = handshake.sid
    this.#patience = handshake.pingInterval + handshake.pingTimeout
    this.#maxPayload = handshake.maxPayload
    this.readyState = 'open'
    lastWasWebSocket = this.transport.name === 'websocket'
    this.#expectPing()
    this.emit('open')
    this.flush()
    if (this.opts.upgrade === false) return
    for (const name of handshake.upgrades) {
      if (this.transports.includes(name) && this.readyState === 'open') probe(this, name)
    }
  }

  /** @param {boolean} remembered */
  remember(remembered) {
    lastWasWebSocket = remembered
  }

  #expectPing() {
    clearTimeout(this.#timer)
    this.#deadline = Date.now() + this.#patience
    this.#timer = setTimeout(() => this.#end('ping timeout'), this.#patience)
  }

  /**
   * Reports whether the server has missed a heartbeat while the timers of the page were suspended,
   * and then closes the session soon.
   */
  expired() {
    const expired = Date.now() > this.#deadline
    if (expired) queueMicrotask(() => this.#end('ping timeout'))
    return expired
  }

  /**
   * Queues a message.
   *
   * @param {any} data text or binary
   */
  write(data) {
    this.#queue({ type: 'message', data })
    return this
  }

  /** @param {any} data text or binary */
  send(data) {
    return this.write(data)
  }

  /** @param {Frame} packet */
  #queue(packet) {
    if (this.readyState === 'closing' || this.readyState === 'closed') return
    this.emit('packetCreate', packet)
    this.writeBuffer.push(packet)
    this.flush()
  }

  /** Gives the transport what is queued, if it takes anything now. */
  flush() {
    if (this.readyState === 'closed' || this.upgrading || !this.transport.writable ||
      !this.writeBuffer.length) return
    const packets = this.#batch()
    this.#inFlight = packets.length
    this.transport.send(packets)
    this.emit('flush')
  }

  /** Returns as many packets as one HTTP body may hold, at least one: protocol 4, "maxPayload". */
  #batch() {
    if (!this.#maxPayload || this.transport.name !== 'polling') return this.writeBuffer.slice()
    let size = -1
    const tooMany = this.writeBuffer.findIndex((packet, i) => {
      size += 2 + lengthOf(packet.data) // separator and type
      return i > 0 && size > this.#maxPayload
    })
    return this.writeBuffer.slice(0, tooMany < 0 ? undefined : tooMany)
  }

  #drain() {
    this.writeBuffer.splice(0, this.#inFlight)
    this.#inFlight = 0
    if (this.writeBuffer.length) this.flush()
    else this.emit('drain')
  }

  /** Closes the session once everything queued is sent. */
  close() {
    if (this.readyState !== 'opening' && this.readyState !== 'open') return this
    const early = this.readyState === 'opening'
    this.readyState = 'closing'
    const close = () => this.#end('forced close')
    const afterUpgrade = () => {
      if (!this.upgrading) close()
      else this.once('upgrade', close).once('upgradeError', close)
    }
    if (this.writeBuffer.length && !early) this.once('drain', afterUpgrade)
    else afterUpgrade()
    return this
  }

  /** @param {Error} error */
  #fail(error) {
    lastWasWebSocket = false
    if (this.opts.tryAllTransports && this.readyState === 'opening' && this.transports.length > 1) {
      const { transport } = this
      this.transports = this.transports.filter((name) => name !== transport.name)
      transport.off()
      transport.close()
      this.#open()
      return
    }
    this.emit('error', error)
    this.#end('transport error', error)
  }

  /**
   * @param {string} reason
   * @param {unknown} [details]
   */
  #end(reason, details) {
    if (this.readyState === 'closed') return
    clearTimeout(this.#timer)
    this.readyState = 'closed'
    if (inPage) {
      removeEventListener('beforeunload', this.#leave)
      removeEventListener('offline', this.#offline)
    }
    this.transport?.off()
    this.transport?.close()
    this.id = null
    this.emit('close', reason, details)
    this.writeBuffer = []
    this.#inFlight = 0
  }

  #leave = () => { // the page goes away: nobody is told here
    this.transport.off()
    this.transport.close()
  }

  #offline = () => this.#end('transport close', { description: 'network connection lost' })
}
