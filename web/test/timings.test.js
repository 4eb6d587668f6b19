import './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { state } from '../page/js/state.js'
import { rate, recordReceived, recordSent } from '../page/js/timings.js'

const start = 1_700_000_000_000
mock.timers.enable({ apis: ['Date', 'setTimeout'], now: start })
state.instance = 'one'

test("another user's message has no duration before the clocks are compared", () => {
  const timing = recordReceived({ time: start - 5, instance: 'two' })
  assert.equal(timing.total, undefined)
  assert.deepEqual([timing.own, timing.from, timing.to], [false, 'two', 'one'])
})

test("an own message's duration is split into wire and log", () => {
  const timing = recordSent({ latency: 20 }, performance.now(), 50)
  assert.deepEqual([timing.own, timing.total, timing.log, timing.wire], [true, 50, 20, 30])
  // The log cannot have taken longer than everything.
  assert.equal(recordSent({ latency: 80 }, performance.now(), 50).wire, 0)
})

test('the clocks are compared by the answer with the shortest way', () => {
  const ahead = 1000 // the server's clock
  recordSent({ latency: 10, time: start + 10 + ahead }, performance.now(), 30)
  assert.equal(recordReceived({ time: start + ahead - 7 }).total, 7)
  // A longer way compares less exactly, and a duplicate's time is of the first attempt: neither
  // counts.
  recordSent({ latency: 10, time: start + 5000 }, performance.now(), 300)
  recordSent({ latency: 10, time: start - 9000, duplicate: true }, performance.now(), 12)
  assert.equal(recordReceived({ time: start + ahead - 7 }).total, 7)
  assert.equal(recordReceived({ time: start + ahead + 7 }).total, 0)
})

test('the last twelve timings are kept', () => {
  for (let i = 0; i < 20; i++) recordReceived({ instance: 'i' + i })
  assert.deepEqual(state.timings.map(({ from }) => from),
    Array.from({ length: 12 }, (_, i) => 'i' + (i + 8)))
})

test('the rate counts messages a second over the last minute, of all instances or of one', () => {
  mock.timers.tick(120_000)
  recordReceived({ instance: 'a' })
  recordReceived({ instance: 'a' })
  mock.timers.tick(59_000)
  recordReceived({ instance: 'b' })
  const all = rate()
  assert.equal(all.length, 60)
  assert.deepEqual([all[0], all[59]], [2, 1])
  assert.deepEqual([rate('a')[0], rate('a')[59], rate('b')[0], rate('b')[59]], [2, 0, 0, 1])
  assert.equal(all.reduce((sum, n) => sum + n), 3)
  mock.timers.tick(1000)
  assert.equal(rate()[0], 0)
})
