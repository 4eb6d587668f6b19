import './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { state } from '../page/js/state.js'
import {
  addLine, addOlder, clearUnread, firstID, forgetLines, forgetRoom, roomNamed, setHistory,
  setPeople, stopTyping,
} from '../page/js/rooms.js'

const line = (id, time, more) => ({ kind: 'message', id, time, from: 'Ben', text: id, ...more })
const ids = (room) => room.lines.map(({ id }) => id)
const numbers = (room) => room.lines.map(({ n }) => n)

beforeEach(() => state.rooms.clear())

test('a room is made once, and the lobby cannot be forgotten', () => {
  assert.equal(roomNamed('a'), roomNamed('a'))
  roomNamed('lobby')
  forgetRoom('a')
  forgetRoom('lobby')
  assert.deepEqual([...state.rooms.keys()], ['lobby'])
})

test('a line is added once', () => {
  const room = roomNamed('a')
  assert.ok(addLine(room, line('1', 10)))
  assert.ok(addLine(room, line('2', 10)))
  assert.ok(!addLine(room, line('1', 10)))
  assert.ok(addLine(room, { kind: 'note', time: 11, from: '', text: 'without an id' }))
  assert.deepEqual(ids(room), ['1', '2', undefined])
  assert.deepEqual(numbers(room), [0, 1, 2])
})

test('a notice about several people stands for all of its lines', () => {
  const room = roomNamed('a')
  addLine(room, { kind: 'join', id: '3', ids: ['1', '2', '3'], names: ['A', 'B', 'C'], from: 'A',
    time: 1, text: '' })
  assert.ok(!addLine(room, line('2', 1)))
  assert.equal(firstID(room), '1')
})

test('the log decides the order, not the time', () => {
  const room = roomNamed('a')
  addLine(room, line('1', 20))
  addLine(room, line('2', 10))
  assert.deepEqual(ids(room), ['1', '2'])
  assert.equal(room.epoch, 0)
})

test('a late line goes where its time puts it', () => {
  const room = roomNamed('a')
  for (const [id, time] of [['1', 10], ['2', 20], ['3', 30]]) addLine(room, line(id, time))
  const { epoch } = room
  addLine(room, line('late', 15), true)
  assert.deepEqual(ids(room), ['1', 'late', '2', '3'])
  assert.deepEqual(numbers(room), [0, 1, 2, 3])
  assert.ok(room.epoch > epoch, 'views are to draw the room again')
  addLine(room, line('last', 30), true)
  assert.deepEqual(ids(room), ['1', 'late', '2', '3', 'last'])
})

test('the oldest lines are dropped beyond the limit, and can be loaded again', () => {
  const room = roomNamed('a')
  for (let i = 0; i <= 21000; i++) addLine(room, line(String(i), i))
  assert.equal(room.lines.length, 20001)
  assert.equal(room.lines[0].id, '1000')
  assert.equal(room.lines[0].n, 1000)
  assert.ok(room.more)
  assert.ok(!room.ids.has('999') && room.ids.has('1000'))
})

test('older lines are numbered downwards, without those already there', () => {
  const room = roomNamed('a')
  setHistory(room, [line('5', 5), line('6', 6)], { more: true, reset: false })
  addOlder(room, [line('3', 3), line('4', 4), line('5', 5)])
  assert.deepEqual(ids(room), ['3', '4', '5', '6'])
  assert.deepEqual(numbers(room), [-2, -1, 0, 1])
  assert.ok(!addLine(room, line('3', 3)))
  addLine(room, line('7', 7))
  assert.equal(room.lines.at(-1).n, 2)
})

test('a history that continues the lines is added to them', () => {
  const room = roomNamed('a')
  setHistory(room, [line('1', 1), line('2', 2)], { more: true, reset: false })
  const { epoch } = room
  setHistory(room, [line('2', 2), line('3', 3)], { more: true, reset: false })
  assert.deepEqual(ids(room), ['1', '2', '3'])
  assert.equal(room.epoch, epoch)
  setHistory(room, [line('4', 4)], {}) // the server has no older lines, so nothing is missing
  assert.deepEqual(ids(room), ['1', '2', '3', '4'])
})

test('a history that leaves a gap, or resets, replaces the lines', () => {
  const room = roomNamed('a')
  setHistory(room, [line('1', 1), line('2', 2)], { more: false, reset: false })
  const { epoch } = room
  setHistory(room, [line('8', 8), line('9', 9)], { more: true, reset: false })
  assert.deepEqual(ids(room), ['8', '9'])
  assert.deepEqual(numbers(room), [0, 1])
  assert.ok(room.more)
  assert.ok(room.epoch > epoch)
  setHistory(room, [line('9', 9)], { more: false, reset: true })
  assert.deepEqual(ids(room), ['9'])
  assert.ok(!room.more)
  assert.ok(addLine(room, line('8', 8)))
})

test('people, typing and unread messages', () => {
  const room = roomNamed('a')
  setPeople(room, new Map([['Ben', { away: false }]]))
  assert.equal(room.users, 1)
  setPeople(room, new Map([['Ben', { away: false }]]), 40)
  assert.equal(room.users, 40)
  room.typing.set('Ben', 1)
  stopTyping(room, 'Ben')
  assert.equal(room.typing.size, 0)
  room.unread = 3
  clearUnread(room)
  assert.equal(room.unread, 0)
})

test('forgotten messages become a word, and notices of them go', () => {
  const room = roomNamed('lobby')
  const lines = [line('1', 1), { ...line('2', 2), kind: 'join' }, line('3', 3)]
  setHistory(room, lines, { reset: true })
  forgetLines(room, ['1', '2', '9'])
  assert.deepEqual(room.lines.map(({ kind, id, from, text, n }) => [kind, id, from, text, n]),
    [['forgotten', '1', '', '', 0], ['message', '3', lines[2].from, lines[2].text, 1]])
})

test('lines among which the reader is stay, however many there are', () => {
  const room = roomNamed('long')
  room.reading = true
  const add = (n) => {
    for (let i = 0; i < n; i++) addLine(room, line(undefined, i))
  }
  add(21002)
  assert.equal(room.lines.length, 21002)
  room.reading = false
  add(1)
  assert.equal(room.lines.length, 20003)
})
