// WebSocket: one message carries one packet.

import { encodeFrame } from './frame.js'
import { Transport } from './transport.js'

export class WebSocketTransport extends Transport {
  /** @type {WebSocket | undefined} */
  #socket

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine) {
    super(engine, 'websocket')
    if (this.opts.forceBase64) this.query.b64 = 1
  }

  open() {
    let socket
    try {
      socket = new WebSocket(this.address('ws', this.opts.timestampRequests),
        this.opts.protocols ?? [])
    } catch (error) {
      queueMicrotask(() => this.failed('websocket error', error)) // once the engine listens
      return
    }
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => { if (this.readyState === 'opening') this.opened() }
    socket.onmessage = ({ data }) => { if (this.readyState !== 'closed') this.received(data) }
    socket.onclose = (event) =>
      this.ended({ description: 'websocket connection closed', context: event })
    socket.onerror = (event) => this.failed('websocket error', event)
    this.#socket = socket
  }

  /** @param {import('./frame.js').Frame[]} frames */
  async send(frames) {
    this.writable = false
    for (const frame of [...frames]) {
      const encoded = encodeFrame(frame, this.opts.forceBase64)
      const data = encoded instanceof Promise ? await encoded : encoded
      if (this.#socket?.readyState === 1) this.#socket.send(data) // else "close" follows
    }
    queueMicrotask(() => this.drained())
  }

  close() {
    this.readyState = 'closed'
    this.writable = false
    this.#socket?.close()
  }
}
