import './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { roomNamed, setHistory } from '../page/js/rooms.js'
import { state } from '../page/js/state.js'
import { endIdentity } from '../page/js/identity.js'
import { addUnread, clearMarker, restoreRead, saveRead } from '../page/js/reading.js'

const line = (id, more) => ({ kind: 'message', id, time: 1, from: 'Ben', text: id, ...more })
let room

beforeEach(() => {
  state.rooms.clear()
  room = roomNamed('lobby')
})

test('the mark stands before the first of the new messages', () => {
  addUnread(room, line('1'))
  addUnread(room, line('2'))
  assert.deepEqual([room.unread, room.marker], [2, '1'])
  const { epoch } = room
  clearMarker(room)
  clearMarker(room)
  assert.deepEqual([room.marker, room.epoch], ['', epoch + 1])
})

test('what is unread is unread after a reload, and so is what came meanwhile', () => {
  setHistory(room, [line('1'), line('2'), line('3')], {})
  addUnread(room, line('3'))
  saveRead()
  state.rooms.clear()
  room = roomNamed('lobby')
  const after = [line('2'), line('3'), line('4', { own: true }), line('5', { kind: 'join' }),
    line('6')]
  setHistory(room, after, { more: true })
  restoreRead(room, false)
  assert.deepEqual([room.marker, room.unread], ['3', 2])
  room.unread = 0
  restoreRead(room, false)
  assert.equal(room.unread, 0, 'only the first history counts')
})

test('nothing is new to somebody who has read all, or to the next person', () => {
  setHistory(room, [line('1')], {})
  saveRead()
  restoreRead(room, false)
  assert.deepEqual([room.marker, room.unread], ['', 0])
  saveRead()
  endIdentity()
  setHistory(room, [line('1'), line('2')], { reset: true })
  restoreRead(room, false)
  assert.equal(room.unread, 0)
})
