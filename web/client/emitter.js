// Events within one page: what Engine, Manager and Socket have in common.

/** @typedef {(...args: any[]) => void} Listener */

/**
 * Calls listeners in the order in which they were added. A listener added or removed during a call
 * counts from the next one on.
 */
export class Emitter {
  /** @type {Map<string, (Listener & { original?: Listener })[]>} */
  #listeners = new Map()

  /**
   * @param {string} event
   * @param {Listener} listener
   */
  on(event, listener) {
    this.#listeners.set(event, [...this.listeners(event), listener])
    return this
  }

  /**
   * @param {string} event
   * @param {Listener} listener
   */
  once(event, listener) {
    const wrapper = (/** @type {any[]} */ ...args) => {
      this.off(event, wrapper)
      listener.apply(this, args)
    }
    wrapper.original = listener
    return this.on(event, wrapper)
  }

  /**
   * Removes a listener that was added by on or once: the first one, if it was added several times.
   * Without a listener it removes all of the event, without an event all.
   *
   * @param {string} [event]
   * @param {Listener} [listener]
   */
  off(event, listener) {
    if (event === undefined) this.#listeners.clear()
    else if (!listener) this.#listeners.delete(event)
    else {
      const rest = [...this.listeners(event)]
      const index = rest.findIndex((l) => l === listener || l.original === listener)
      if (index >= 0) rest.splice(index, 1)
      this.#listeners.set(event, rest)
    }
    return this
  }

  /** @param {string} event */
  listeners(event) {
    return this.#listeners.get(event) ?? []
  }

  /** @param {string} event */
  hasListeners(event) {
    return this.listeners(event).length > 0
  }

  /**
   * Calls the listeners of an event here. A Socket's emit sends instead.
   *
   * @param {string} event
   * @param {any[]} args
   */
  emitReserved(event, ...args) {
    for (const listener of this.listeners(event)) listener.apply(this, args)
    return this
  }

  /**
   * @param {string} event
   * @param {any[]} args
   */
  emit(event, ...args) {
    return this.emitReserved(event, ...args)
  }

  /**
   * @param {string} event
   * @param {Listener} listener
   */
  addEventListener(event, listener) {
    return this.on(event, listener)
  }

  /**
   * @param {string} [event]
   * @param {Listener} [listener]
   */
  removeListener(event, listener) {
    return this.off(event, listener)
  }

  /**
   * @param {string} [event]
   * @param {Listener} [listener]
   */
  removeEventListener(event, listener) {
    return this.off(event, listener)
  }

  /** @param {string} [event] */
  removeAllListeners(event) {
    return this.off(event)
  }
}
