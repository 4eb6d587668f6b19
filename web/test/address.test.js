import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOfLine, hashOfRoom, placeOfHash } from '../page/js/address.js'

test('every room has an address that leads back to it', () => {
  for (const room of ['lobby', 'garden', 'café', 'a b', '요리', '100%', '#x', '</script>',
    'a@1.2.3']) {
    assert.deepEqual(placeOfHash(hashOfRoom(room)), { room })
    assert.deepEqual(placeOfHash(hashOfLine(room, '1.2f.x3')), { room, line: '1.2f.x3' })
  }
  assert.equal(hashOfRoom('lobby'), '#')
})

test('an empty or malformed address is the lobby', () => {
  for (const hash of ['', '#', '#%20', '#%', '#%E0%A4%A'])
    assert.deepEqual(placeOfHash(hash), { room: 'lobby' }, hash)
})
