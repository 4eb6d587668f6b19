import './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { arrive, changed, watch } from '../page/js/state.js'

mock.timers.enable({ apis: ['setTimeout', 'Date'] })

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

test('arrivals are drawn together, the first one at once', () => {
  const drawn = []
  let shown = 0
  let there = 0
  watch(['lines'], () => {
    drawn.push(there - shown)
    shown = there
  })
  mock.timers.tick(0)
  drawn.length = 0
  const message = () => {
    there++
    arrive(() => changed('lines'))
  }
  for (let i = 0; i < 50; i++) { // in a second
    message()
    mock.timers.tick(20)
  }
  for (let i = 0; i < 50; i++) mock.timers.tick(20)
  assert.deepEqual(drawn, [1, 3, 8, 15, 15, 8])
  drawn.length = 0
  for (let i = 0; i < 5; i++) { // of which none is one of many
    message()
    mock.timers.tick(25)
  }
  for (let i = 0; i < 50; i++) mock.timers.tick(20)
  assert.deepEqual(drawn, [1, 2, 2])
  message()
  mock.timers.tick(0)
  assert.equal(drawn.pop(), 1, 'after a quiet time')
  message()
  message()
  changed('room')
  mock.timers.tick(0)
  assert.equal(drawn.pop(), 2, 'with another change')
  mock.timers.tick(1000)
  assert.equal(drawn.length, 3, 'not once more')
})

test('an arrival that fails holds no later change back', () => {
  let drawn = 0
  watch(['typing'], () => { drawn++ })
  mock.timers.tick(1000)
  assert.throws(() => arrive(() => { throw new Error('of an event') }))
  for (let i = 0; i < 2; i++) {
    changed('typing')
    mock.timers.tick(0)
  }
  assert.equal(drawn, 3)
})
