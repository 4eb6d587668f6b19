// Coming and going: the notices that people joined or left, which often come in runs. A run says of
// each person what it comes to.

import { calendar } from './calendar.js'

/** @import { Line } from './rooms.js' */

/**
 * @typedef {'joined' | 'left' | 'passed' | 'returned'} Outcome passed: came and left again;
 *   returned: the reverse
 */

/** @param {Line | undefined} line */
export function isComing(line) {
  return line !== undefined && (line.kind === 'join' || line.kind === 'leave') && line.from !== ''
}

/**
 * Reports whether a line belongs to the same run as the line before it. No run goes on over
 * midnight.
 *
 * @param {Line} line
 * @param {Line | undefined} before
 */
export function continuesRun(line, before) {
  return before !== undefined && isComing(line) && isComing(before) &&
    calendar.dayOf(line.time) === calendar.dayOf(before.time)
}

/** @param {Line} line */
const namesOf = (line) => (line.names?.length ? line.names : [line.from])

/**
 * Returns who did what in a run. Each name is once there, where it came first.
 *
 * @param {Line[]} run
 * @returns {Map<Outcome, string[]>}
 */
export function outcomes(run) {
  /** @type {Map<string, { first: Line['kind'], last: Line['kind'] }>} */
  const people = new Map()
  for (const line of run) {
    for (const name of namesOf(line)) {
      const known = people.get(name)
      if (known) known.last = line.kind
      else people.set(name, { first: line.kind, last: line.kind })
    }
  }
  /** @type {Map<Outcome, string[]>} */
  const found = new Map()
  for (const [name, { first, last }] of people) {
    /** @type {Outcome} */
    let outcome = first === 'join' ? 'joined' : 'left'
    if (first !== last) outcome = first === 'join' ? 'passed' : 'returned'
    found.set(outcome, [...found.get(outcome) ?? [], name])
  }
  return found
}
