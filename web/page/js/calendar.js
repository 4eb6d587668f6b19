// Days as a calendar counts them, in one time zone: some have 23 or 25 hours, and a few were left
// out. A day is a number, one more than that of the day before.

const quarter = 15 * 60000 // ms; every time zone changes its days at a quarter of an hour

/** @typedef {ReturnType<typeof createCalendar>} Calendar */

/**
 * Returns the calendar of a time zone; none: the computer's own.
 *
 * @param {string} [timeZone]
 */
export function createCalendar(timeZone) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone, calendar: 'gregory', numberingSystem: 'latn', year: 'numeric', month: 'numeric',
    day: 'numeric',
  })
  /** @type {Map<number, number>} */
  const known = new Map() // quarter of an hour to day, because a format takes long

  /**
   * Returns the day of a time.
   *
   * @param {number} time as Date.now() counts
   */
  function dayOf(time) {
    const key = Math.floor(time / quarter)
    let day = known.get(key)
    if (day === undefined) {
      const [month, date, year] = format.format(key * quarter).split('/').map(Number)
      day = Date.UTC(year, month - 1, date) / 86400000
      known.set(key, day)
    }
    return day
  }

  return { dayOf }
}

export const calendar = createCalendar()
