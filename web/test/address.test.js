import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOfRoom, roomOfHash } from '../page/js/address.js'

test('every room has an address that leads back to it', () => {
  for (const room of ['lobby', 'garden', 'café', 'a b', '요리', '100%', '#x', '</script>']) {
    assert.equal(roomOfHash(hashOfRoom(room)), room)
  }
  assert.equal(hashOfRoom('lobby'), '#')
})

test('an empty or malformed address is the lobby', () => {
  for (const hash of ['', '#', '#%20', '#%', '#%E0%A4%A']) assert.equal(roomOfHash(hash), 'lobby', hash)
})
