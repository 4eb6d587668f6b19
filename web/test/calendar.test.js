import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCalendar } from '../page/js/calendar.js'

const at = (text) => Date.parse(text)

test('a day of 25 hours is one day, and so is one of 23', () => {
  const { dayOf } = createCalendar('Europe/Berlin')
  // Clocks went back on Sunday, 25 October 2026: 24 hours before Monday's first half hour it was
  // Sunday all the same.
  const monday = at('2026-10-26T00:30:00+01:00')
  assert.equal(dayOf(monday) - dayOf(monday - 86400000), 1)
  assert.equal(dayOf(monday) - dayOf(at('2026-10-24T23:59:00+02:00')), 2)
  // They went forward on Sunday, 29 March 2026: 24 hours before that Monday's first half hour it
  // was Saturday.
  const spring = at('2026-03-30T00:30:00+02:00')
  assert.equal(dayOf(spring) - dayOf(spring - 86400000), 2)
  assert.equal(dayOf(spring) - dayOf(at('2026-03-29T00:00:00+01:00')), 1)
})

test('a day begins at midnight of the time zone, whatever its offset', () => {
  for (const [zone, midnight, days] of [
    ['Asia/Seoul', '2026-05-18T00:00:00+09:00', 1],
    ['Asia/Kathmandu', '2026-05-18T00:00:00+05:45', 1],
    ['America/Sao_Paulo', '2018-11-04T01:00:00-02:00', 1], // there was no midnight
    ['Pacific/Apia', '2011-12-31T00:00:00+14:00', 2], // nor a 30th of December
  ]) {
    const { dayOf } = createCalendar(zone)
    assert.equal(dayOf(at(midnight)) - dayOf(at(midnight) - 1), days, zone)
  }
})
