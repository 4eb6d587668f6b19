// HTTP long-polling: one GET waits for packets at any time, and a POST sends some.

import { encodeFrame, separator } from './frame.js'
import { Transport } from './transport.js'

export class Polling extends Transport {
  #requests = new AbortController()
  #polling = false
  #sending = false
  /** @type {(() => void) | undefined} */
  #whenPaused

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine) {
    super(engine, 'polling')
    if (this.opts.forceBase64) this.query.b64 = 1
  }

  open() {
    void this.#poll()
  }

  async #poll() {
    this.#polling = true
    const text = await this.#request('xhr poll error', { signal: this.#requests.signal })
    if (text === undefined) return
    for (const raw of text.split(separator)) {
      if (this.readyState === 'closed') return this.#sayGoodbye(raw)
      if (raw === '1') return this.ended({ description: 'transport closed by the server' })
      if (this.readyState === 'opening' && raw[0] === '0') this.opened()
      this.received(raw)
    }
    this.#polling = false
    if (this.readyState === 'open') void this.#poll()
    else this.#pauseIfIdle()
  }

  /**
   * Returns the body of a response, or undefined after an error.
   *
   * @param {string} message of the error
   * @param {RequestInit} request
   */
  async #request(message, request) {
    let response
    try {
      response = await fetch(this.address('http', this.opts.timestampRequests !== false), {
        cache: 'no-store',
        credentials: this.opts.withCredentials ? 'include' : 'same-origin',
        ...request,
        headers: { ...this.opts.extraHeaders, ...request.headers },
      })
      const text = await response.text()
      if (response.ok) return text
      this.failed(message, response.status, response)
    } catch (error) {
      this.failed(message, error, response)
    }
  }

  /** @param {import('./frame.js').Frame[]} frames */
  async send(frames) {
    this.writable = false
    this.#sending = true
    const body = (await Promise.all(frames.map((frame) => encodeFrame(frame, true))))
      .join(separator)
    const sent = await this.#post(body)
    this.#sending = false
    if (sent === undefined) return
    this.drained()
    this.#pauseIfIdle()
  }

  /**
   * @param {string} body
   * @param {RequestInit} [options]
   */
  #post(body, options) {
    const headers = { 'Content-Type': 'text/plain;charset=UTF-8' }
    return this.#request('xhr post error', { method: 'POST', body, headers, ...options })
  }

  /**
   * Calls back when no request is under way any more. Then the transport sends and receives
   * nothing.
   *
   * @param {() => void} callback
   */
  pause(callback) {
    this.readyState = 'pausing'
    this.#whenPaused = callback
    this.#pauseIfIdle()
  }

  /** Goes on after all. */
  resume() {
    if (this.readyState !== 'pausing' && this.readyState !== 'paused') return
    this.readyState = 'open'
    this.writable = !this.#sending
    if (!this.#polling) void this.#poll()
  }

  #pauseIfIdle() {
    if (this.readyState !== 'pausing' || this.#polling || this.#sending) return
    this.readyState = 'paused'
    this.writable = false
    this.#whenPaused?.()
  }

  close() {
    const { readyState } = this
    this.readyState = 'closed'
    this.writable = false
    // the handshake's answer is awaited: #sayGoodbye
    if (readyState === 'opening' || readyState === 'closed') return
    this.#requests.abort()
    // The server is told also while the page goes away.
    if (readyState !== 'paused') void this.#post('1', { keepalive: true })
  }

  /**
   * Ends a session that was opened after the client had lost interest.
   *
   * @param {string} raw
   */
  #sayGoodbye(raw) {
    if (raw[0] !== '0' || this.query.sid) return
    try {
      this.query.sid = JSON.parse(raw.slice(1)).sid
    } catch { return }
    void this.#post('1', { keepalive: true })
  }
}
