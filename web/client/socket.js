// One namespace of a server.

import { Emitter } from './emitter.js'
import { PacketType, reservedEvents } from './packet.js'
import { RetryQueue } from './retries.js'

/** @typedef {import('./packet.js').Packet} Packet */
/** @typedef {((...args: any[]) => void) & { withError?: boolean }} Ack */
/** @typedef {{ volatile?: boolean, timeout?: number, compress?: boolean }} Flags */

/**
 * Emits "connect", "connect_error", "disconnect", and the events of the server.
 */
export class Socket extends Emitter {
  /** @type {string | undefined} */
  id
  connected = false
  /** Whether this connection goes on where the last one ended, so that no event is missed. */
  recovered = false
  /** @type {any[][]} events of the server that came before the namespace was joined */
  receiveBuffer = []
  /** @type {Packet[]} events to send once connected */
  sendBuffer = []
  /** @type {Map<number, Ack>} */
  #acks = new Map()
  #nextId = 0
  /** @type {Flags} */
  #flags = {}
  /** @type {(() => void)[] | undefined} */
  #subscriptions
  /** @type {string | undefined} the private id of the session, for connection state recovery */
  #pid
  /** @type {string | undefined} the offset of the last event */
  #offset
  /** @type {((...args: any[]) => void)[]} */
  #anyListeners = []
  /** @type {((...args: any[]) => void)[]} */
  #anyOutgoingListeners = []
  #retries

  /**
   * @param {import('./manager.js').Manager} io
   * @param {string} nsp
   * @param {Record<string, any>} [opts]
   */
  constructor(io, nsp, opts = {}) {
    super()
    this.io = io
    this.nsp = nsp
    this.auth = opts.auth
    this.opts = opts
    this.#retries = opts.retries
      ? new RetryQueue(opts.retries, () => this.connected, (flags, args) => this.#emit(flags, args))
      : null
    if (io.autoConnect) this.open()
  }

  get disconnected() {
    return !this.connected
  }

  /** Whether the socket connects again by itself. */
  get active() {
    return Boolean(this.#subscriptions)
  }

  /**
   * Makes each event volatile that is sent by the result: dropped when it can't be sent at once.
   */
  get volatile() {
    this.#flags.volatile = true
    return this
  }

  /** @param {number} timeout ms after which the acknowledgement of the next event fails */
  timeout(timeout) {
    this.#flags.timeout = timeout
    return this
  }

  /** @param {boolean} compress has no effect: browsers decide */
  compress(compress) {
    this.#flags.compress = compress
    return this
  }

  connect() {
    if (this.connected) return this
    this.#subscribe()
    if (!this.io.reconnecting) this.io.open()
    if (this.io.readyState === 'open') this.#join()
    return this
  }

  open() {
    return this.connect()
  }

  #subscribe() {
    if (this.#subscriptions) return
    /** @type {[string, (...args: any[]) => void][]} */
    const listeners = [
      ['open', () => this.#join()],
      ['packet', (packet) => { if (packet.nsp === this.nsp) this.#receive(packet) }],
      ['error', (error) => { if (!this.connected) this.emitReserved('connect_error', error) }],
      ['close', (reason, details) => this.#closed(reason, details)],
    ]
    this.#subscriptions = listeners.map(([event, listener]) => {
      this.io.on(event, listener)
      return () => { this.io.off(event, listener) }
    })
  }

  #unsubscribe() {
    this.#subscriptions?.forEach((unsubscribe) => unsubscribe())
    this.#subscriptions = undefined
    this.io.release()
  }

  /** Asks to be let into the namespace. */
  #join() {
    /** @param {any} data */
    const send = (data) => this.#write({
      type: PacketType.CONNECT,
      data: this.#pid ? { pid: this.#pid, offset: this.#offset, ...data } : data,
    })
    if (typeof this.auth === 'function') this.auth(send)
    else send(this.auth)
  }

  /** @param {Omit<Packet, 'nsp'>} packet */
  #write(packet) {
    this.io.write({ nsp: this.nsp, ...packet })
  }

  /** @param {Packet} packet */
  #receive({ type, data, id }) {
    switch (type) {
      case PacketType.CONNECT:
        if (data?.sid) this.#joined(data.sid, data.pid)
        else this.emitReserved('connect_error',
          new Error('the server speaks the protocol of Socket.IO 2, or none'))
        break
      case PacketType.EVENT: {
        const args = id === undefined ? data : [...data, this.#acknowledge(id)]
        if (this.connected) this.#deliver(args)
        else this.receiveBuffer.push(args)
        break
      }
      case PacketType.ACK: {
        const ack = this.#acks.get(/** @type {number} */ (id))
        this.#acks.delete(/** @type {number} */ (id))
        ack?.apply(this, ack.withError ? [null, ...data] : data)
        break
      }
      case PacketType.DISCONNECT:
        this.#unsubscribe()
        this.#closed('io server disconnect')
        break
      case PacketType.CONNECT_ERROR:
        this.#unsubscribe()
        this.emitReserved('connect_error',
          Object.assign(new Error(data.message ?? data), { data: data.data }))
    }
  }

  /**
   * @param {string} id
   * @param {string | undefined} pid
   */
  #joined(id, pid) {
    this.id = id
    this.recovered = Boolean(pid) && this.#pid === pid
    this.#pid = pid
    this.connected = true
    for (const args of this.receiveBuffer.splice(0)) this.#deliver(args)
    for (const packet of this.sendBuffer.splice(0)) this.#send(packet)
    this.#retries?.resume()
    this.emitReserved('connect')
  }

  /** @param {any[]} args */
  #deliver(args) {
    for (const listener of [...this.#anyListeners]) listener.apply(this, args)
    this.emitReserved(args[0], ...args.slice(1))
    const last = args.at(-1)
    // Socket.IO protocol 5, "Connection state recovery"
    if (this.#pid && typeof last === 'string') this.#offset = last
  }

  /**
   * Returns the function that answers an event of the server, once.
   *
   * @param {number} id
   */
  #acknowledge(id) {
    let sent = false
    return (/** @type {any[]} */ ...data) => {
      if (!sent) this.#write({ type: PacketType.ACK, id, data })
      sent = true
    }
  }

  /**
   * Sends an event. If the last argument is a function, it is called with the arguments of the
   * server's answer; after timeout(), and with the option ackTimeout, an error or null comes before
   * them. While there is no connection, events wait for one.
   *
   * @override
   * @param {string} event
   * @param {any[]} args
   */
  emit(event, ...args) {
    if (reservedEvents.includes(event)) throw new Error(`"${event}" is a reserved event name`)
    const flags = this.#flags
    this.#flags = {}
    if (this.#retries && !flags.volatile) this.#retries.add(flags, [event, ...args])
    else this.#emit(flags, [event, ...args])
    return this
  }

  /**
   * @param {Flags} flags
   * @param {any[]} data
   */
  #emit(flags, data) {
    /** @type {Packet} */
    const packet = { type: PacketType.EVENT, nsp: this.nsp, data }
    if (typeof data.at(-1) === 'function') {
      packet.data = data.slice(0, -1)
      packet.id = this.#nextId++
      this.#expectAck(packet.id, data.at(-1), flags.timeout ?? this.opts.ackTimeout)
    }
    const { engine } = this.io
    if (flags.volatile && !engine?.transport?.writable) return
    if (this.connected && !engine?.expired()) this.#send(packet)
    else this.sendBuffer.push(packet)
  }

  /** @param {Packet} packet */
  #send(packet) {
    for (const listener of [...this.#anyOutgoingListeners]) listener.apply(this, packet.data)
    this.#write(packet)
  }

  /**
   * @param {number} id
   * @param {Ack} ack
   * @param {number | undefined} timeout ms
   */
  #expectAck(id, ack, timeout) {
    if (timeout === undefined) {
      this.#acks.set(id, ack)
      return
    }
    const timer = setTimeout(() => {
      this.#acks.delete(id)
      this.sendBuffer = this.sendBuffer.filter((packet) => packet.id !== id)
      ack.call(this, new Error('operation has timed out'))
    }, timeout)
    /** @type {Ack} */
    const timed = (...args) => {
      clearTimeout(timer)
      ack.apply(this, args)
    }
    timed.withError = true
    this.#acks.set(id, timed)
  }

  /**
   * Sends an event, and returns the first argument of the server's answer.
   *
   * @param {string} event
   * @param {any[]} args
   * @returns {Promise<any>}
   */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      /** @type {Ack} */
      const ack = (error, answer) => error ? reject(error) : resolve(answer)
      ack.withError = true
      this.emit(event, ...args, ack)
    })
  }

  /** @param {any[]} args of the event "message" */
  send(...args) {
    return this.emit('message', ...args)
  }

  /** Leaves the namespace. The socket does not come back by itself. */
  disconnect() {
    const was = this.connected
    if (was) this.#write({ type: PacketType.DISCONNECT })
    this.#unsubscribe()
    if (this.connected) this.#closed('io client disconnect')
    return this
  }

  close() {
    return this.disconnect()
  }

  /**
   * @param {string} reason
   * @param {unknown} [details]
   */
  #closed(reason, details) {
    this.connected = false
    this.id = undefined
    this.emitReserved('disconnect', reason, details)
    // What waits in the buffer can still be answered.
    const waiting = new Set(this.sendBuffer.map((packet) => packet.id))
    for (const [id, ack] of this.#acks) {
      if (waiting.has(id)) continue
      this.#acks.delete(id)
      if (ack.withError) ack.call(this, new Error('socket has been disconnected'))
    }
  }

  /** @param {(event: string, ...args: any[]) => void} listener of each event of the server */
  onAny(listener) {
    this.#anyListeners.push(listener)
    return this
  }

  /** @param {(event: string, ...args: any[]) => void} listener */
  prependAny(listener) {
    this.#anyListeners.unshift(listener)
    return this
  }

  /** @param {(event: string, ...args: any[]) => void} [listener] */
  offAny(listener) {
    this.#anyListeners = without(this.#anyListeners, listener)
    return this
  }

  listenersAny() {
    return this.#anyListeners
  }

  /** @param {(event: string, ...args: any[]) => void} listener of each event that is sent */
  onAnyOutgoing(listener) {
    this.#anyOutgoingListeners.push(listener)
    return this
  }

  /** @param {(event: string, ...args: any[]) => void} listener */
  prependAnyOutgoing(listener) {
    this.#anyOutgoingListeners.unshift(listener)
    return this
  }

  /** @param {(event: string, ...args: any[]) => void} [listener] */
  offAnyOutgoing(listener) {
    this.#anyOutgoingListeners = without(this.#anyOutgoingListeners, listener)
    return this
  }

  listenersAnyOutgoing() {
    return this.#anyOutgoingListeners
  }
}

/**
 * Returns a list without the first such listener, or an empty one.
 *
 * @template T
 * @param {T[]} listeners
 * @param {T} [listener]
 */
function without(listeners, listener) {
  const index = listener ? listeners.indexOf(listener) : -1
  return listener ? listeners.filter((_, i) => i !== index) : []
}
