// Events that are sent again until the server has acknowledged them, one at a time and in order:
// the option `retries`.

/** @typedef {import('./socket.js').Flags} Flags */
/** @typedef {import('./socket.js').Ack} Ack */

/** @typedef {{ flags: Flags, args: any[], tries: number, pending: boolean }} Entry */

export class RetryQueue {
  /** @type {Entry[]} */
  #entries = []
  #retries
  #ready
  #send

  /**
   * @param {number} retries how often an event is sent again
   * @param {() => boolean} ready reports whether there is a connection
   * @param {(flags: Flags, args: any[]) => void} send the last argument is the acknowledgement
   */
  constructor(retries, ready, send) {
    this.#retries = retries
    this.#ready = ready
    this.#send = send
  }

  /**
   * @param {Flags} flags
   * @param {any[]} args the last one may be an acknowledgement, which is called with an error or
   *   null first
   */
  add(flags, args) {
    /** @type {Ack | undefined} */
    const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined
    /** @type {Entry} */
    const entry = { flags, args, tries: 0, pending: false }
    /** @type {Ack} */
    const answered = (error, ...answer) => {
      if (entry !== this.#entries[0]) return // acknowledged by an earlier try
      entry.pending = false
      if (!error || entry.tries > this.#retries) {
        this.#entries.shift()
        ack?.(error, ...answer)
      }
      this.#next()
    }
    answered.withError = true
    args.push(answered)
    this.#entries.push(entry)
    this.#next()
  }

  /** Sends the first event again, because there is a connection again. */
  resume() {
    const first = this.#entries[0]
    if (first) first.pending = false
    this.#next()
  }

  #next() {
    const first = this.#entries[0]
    if (!first || first.pending || !this.#ready()) return
    first.pending = true
    first.tries++
    this.#send(first.flags, first.args)
  }
}
