import './environment.js'
import { any } from './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOutboxEntry, isRecordOfStrings, isStrings } from '../page/js/shapes.js'
import { browser, tab } from '../page/js/storage.js'

test('a stored value is read back, from its own area', () => {
  tab.write('key', { a: [1, null] })
  assert.deepEqual(tab.read('key', 0, any), { a: [1, null] })
  assert.equal(browser.read('key', 'fallback', any), 'fallback')
  assert.equal(sessionStorage.getItem('chatapp.key'), '{"a":[1,null]}')
})

test('undefined removes a value', () => {
  tab.write('key', false)
  assert.equal(tab.read('key', true, any), false)
  tab.write('key', undefined)
  assert.equal(tab.read('key', true, any), true)
  assert.equal(sessionStorage.getItem('chatapp.key'), null)
})

test('what cannot be read is the fallback', () => {
  sessionStorage.setItem('chatapp.key', '{')
  assert.equal(tab.read('key', 'fallback', any), 'fallback')
})

test('the page works without storage', () => {
  const { sessionStorage: kept } = globalThis
  Object.defineProperty(globalThis, 'sessionStorage', {
    configurable: true, get() { throw new Error('storage is switched off') },
  })
  tab.write('key', 1)
  assert.equal(tab.read('key', 'fallback', any), 'fallback')
  Object.defineProperty(globalThis, 'sessionStorage',
    { configurable: true, writable: true, value: kept })
})

test('a value of another shape is the fallback', () => {
  for (const value of [null, 1, 'x', ['x', 1], { a: 1 }]) {
    tab.write('key', value)
    assert.deepEqual(tab.read('key', [], isStrings), [], JSON.stringify(value))
  }
  tab.write('key', ['x'])
  assert.deepEqual(tab.read('key', [], isStrings), ['x'])
  tab.write('key', { a: 'b' })
  assert.deepEqual(tab.read('key', {}, isRecordOfStrings), { a: 'b' })
})

test('of the outbox only what can be sent is read', () => {
  const entry = { cid: 'c', room: 'lobby', text: 'hi', time: 1, status: 'waiting', until: 0 }
  assert.ok(isOutboxEntry(entry))
  assert.ok(isOutboxEntry({ ...entry, status: 'failed', refusal: { code: 'too_long' } }))
  const others = [{ ...entry, text: 1 }, { ...entry, status: 'gone' }, { ...entry, refusal: {} }]
  for (const bad of [null, 'x', [], {}, ...others]) {
    assert.ok(!isOutboxEntry(bad), JSON.stringify(bad))
  }
})

test('what another version of the page has written is removed', async () => {
  sessionStorage.setItem('chatapp.version', '0')
  sessionStorage.setItem('chatapp.token', '"t"')
  sessionStorage.setItem('other', 'kept')
  await import('../page/js/storage.js?again')
  assert.equal(sessionStorage.getItem('chatapp.token'), null)
  assert.equal(sessionStorage.getItem('other'), 'kept')
  assert.equal(sessionStorage.getItem('chatapp.version'), '1')
})
