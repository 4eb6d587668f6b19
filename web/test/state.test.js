import './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { changed, watch } from '../page/js/state.js'

mock.timers.enable({ apis: ['setTimeout'] })

test('a view is drawn once at the beginning, and once for many changes of its topics', () => {
  let drawn = 0
  watch(['rooms', 'people'], () => { drawn++ })
  mock.timers.tick(0)
  assert.equal(drawn, 1)
  changed('rooms')
  changed('rooms', 'people')
  assert.equal(drawn, 1)
  mock.timers.tick(0)
  assert.equal(drawn, 2)
  changed('typing')
  mock.timers.tick(0)
  assert.equal(drawn, 2)
})

test('a change made while views are drawn is drawn next', () => {
  const order = []
  watch(['cluster'], () => { order.push('cluster') })
  watch(['timings'], () => {
    order.push('timings')
    if (order.length < 3) changed('cluster')
  })
  mock.timers.tick(0)
  mock.timers.tick(0)
  assert.deepEqual(order, ['cluster', 'timings', 'cluster'])
})
