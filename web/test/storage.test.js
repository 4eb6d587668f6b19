import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { browser, tab } from '../page/js/storage.js'

test('a stored value is read back, from its own area', () => {
  tab.write('key', { a: [1, null] })
  assert.deepEqual(tab.read('key', 0), { a: [1, null] })
  assert.equal(browser.read('key', 'fallback'), 'fallback')
  assert.equal(sessionStorage.getItem('chatapp.key'), '{"a":[1,null]}')
})

test('undefined removes a value', () => {
  tab.write('key', false)
  assert.equal(tab.read('key', true), false)
  tab.write('key', undefined)
  assert.equal(tab.read('key', true), true)
  assert.equal(sessionStorage.getItem('chatapp.key'), null)
})

test('what cannot be read is the fallback', () => {
  sessionStorage.setItem('chatapp.key', '{')
  assert.equal(tab.read('key', 'fallback'), 'fallback')
})

test('the page works without storage', () => {
  const { sessionStorage: kept } = globalThis
  Object.defineProperty(globalThis, 'sessionStorage', {
    configurable: true, get() { throw new Error('storage is switched off') },
  })
  tab.write('key', 1)
  assert.equal(tab.read('key', 'fallback'), 'fallback')
  Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, writable: true, value: kept })
})
