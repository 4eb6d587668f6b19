import { any } from './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { browser, tab } from '../page/js/storage.js'

// What a tab holds that was asleep or closed while its user left in another one.
const { recordEnd: endElsewhere } = await import('../page/js/ended.js?elsewhere')
endElsewhere('a token')
tab.write('token', 'a token')
tab.write('drafts', { lobby: 'half a sentence' })
const { hasEnded, predecessorCount, recordEnd } = await import('../page/js/ended.js')

test('an identity that has ended is known by its token', () => {
  recordEnd('Ann')
  assert.ok(hasEnded('Ann'))
  for (const other of ['ann', '', undefined]) assert.ok(!hasEnded(other), other)
  const { length } = browser.read('ended', [], any)
  recordEnd('Ann')
  assert.equal(browser.read('ended', [], any).length, length)
  recordEnd(undefined)
  assert.ok(!hasEnded('undefined'))
  assert.ok(!JSON.stringify(browser.read('ended', [], any)).includes('Ann'))
})

test('a tab of an identity that has ended elsewhere keeps nothing of it', () => {
  assert.ok(hasEnded('a token'))
  for (const key of ['token', 'drafts']) assert.equal(tab.read(key, undefined, any), undefined, key)
  assert.equal(predecessorCount(), 1)
  assert.equal(tab.read('predecessors', 0, any), 1)
})

test('the last identities are known', () => {
  for (let i = 0; i < 60; i++) recordEnd(`token ${i}`)
  assert.ok(hasEnded('token 59'))
  assert.ok(hasEnded('token 10'))
  assert.ok(!hasEnded('token 9'))
})
