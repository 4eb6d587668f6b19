/**
 * Delays between attempts: each twice the last one, up to a maximum, moved at random so that
 * clients do not agree.
 */
export class Backoff {
  attempts = 0

  /**
   * @param {number} min ms
   * @param {number} max ms
   * @param {number} jitter the part of a delay by which it may be longer or shorter, from 0 to 1
   */
  constructor(min, max, jitter) {
    this.min = min
    this.max = max
    this.jitter = jitter
  }

  /** Returns the next delay, in ms. */
  duration() {
    const delay = this.min * 2 ** this.attempts++
    return Math.min(this.max, Math.floor(delay * (1 + this.jitter * (2 * Math.random() - 1))))
  }

  reset() {
    this.attempts = 0
  }
}
