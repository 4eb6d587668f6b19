import './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { createEvents } from '../page/js/events.js'
import { roomNamed, withdrawAll } from '../page/js/rooms.js'
import { state } from '../page/js/state.js'

mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_700_000_000_000 })

let calls
let notified
let ownIds
let receive

beforeEach(() => {
  state.rooms.clear()
  state.me = { name: 'Ann', requestedName: 'Ann', token: undefined }
  state.offset = ''
  calls = []
  notified = []
  ownIds = new Set()
  receive = createEvents({
    actions: {
      handleNamed: (...args) => calls.push(['named', ...args]),
      handleUnnamed: (...args) => calls.push(['unnamed', ...args]),
    },
    outbox: { markDelivered: (cid) => ownIds.has(cid) },
    toLine: (line) => ({ ...line, converted: true }),
    onMessage: (room, line) => notified.push([room.name, line.text]),
  })
})

const lines = (room = 'lobby') => roomNamed(room).lines
const people = (room = 'lobby') => [...roomNamed(room).people.keys()]

test('only the id that ends a log-ordered event is the offset', () => {
  receive('user message', ['Ben', 'hi', { room: 'lobby' }, '5.log'])
  assert.equal(state.offset, '5.log')
  receive('typing', [{ username: 'Ben', room: 'lobby' }])
  receive('nicknames', [{}, { room: 'lobby' }])
  receive('announcement', ['Ben connected', { kind: 'join', name: 'Ben', id: '6.log' }])
  receive('an event with one argument', ['7.log'])
  assert.equal(state.offset, '5.log')
  receive('of a later version', [{}, '8.log'])
  assert.equal(state.offset, '8.log')
})

test('unknown events, and names of Object.prototype, are ignored', () => {
  for (const name of ['of a later version', 'constructor', '__proto__', 'toString'])
    receive(name, [{}])
})

test("another user's message is added and notified once", () => {
  const meta = { room: 'garden', time: 7, instance: 'two', cid: 'c' }
  receive('user message', ['Ben', 'hi', meta, '1'])
  receive('user message', ['Ben', 'hi', meta, '1'])
  assert.deepEqual(notified, [['garden', 'hi']])
  const [line] = lines('garden')
  assert.deepEqual([lines('garden').length, line.from, line.time, line.own, line.cid],
    [1, 'Ben', 7, false, 'c'])
  assert.equal(line.timing.from, 'two')
})

test('a message of this user from this tab is own, and not notified', () => {
  ownIds.add('mine')
  receive('user message', ['Ann', 'hi', { cid: 'mine' }, '1'])
  receive('user message', ['Ann', 'from elsewhere', { cid: 'theirs' }, '2'])
  receive('user message', ['Ben', 'copied id', { cid: 'mine' }, '3'])
  assert.deepEqual(lines().map(({ own }) => own), [true, false, false])
  assert.deepEqual(notified.map(([, text]) => text), ['from elsewhere', 'copied id'])
})

test('a confirmed message takes the place of the provisional one', () => {
  receive('provisional', ['Ben', 'hi', { key: 'k', room: 'lobby', time: 1 }])
  assert.equal(roomNamed('lobby').provisional.get('k').text, 'hi')
  receive('user message', ['Ben', 'hi', { replaces: 'k' }, '1'])
  assert.equal(roomNamed('lobby').provisional.size, 0)
})

test('a line with the client message id and the author of a provisional message confirms it',
  () => {
  const provisional = () => [...roomNamed('lobby').provisional.keys()]
  const line = (id, from, cid) => ({ kind: 'message', id, time: 1, from, text: 'hi', cid })
  for (const key of ['a', 'b', 'c'])
    receive('provisional', ['Ben', 'hi', { key, room: 'lobby', time: 1 }])
  receive('user message', ['Max', 'hi', { cid: 'a' }, '1'])
  assert.deepEqual(provisional(), ['a', 'b', 'c'])
  receive('user message', ['Ben', 'hi', { cid: 'a' }, '2'])
  assert.deepEqual(provisional(), ['b', 'c'])
  receive('history', ['lobby',
    { messages: [line('2', 'Ben', 'a'), line('3', 'Ben', 'b')], more: false }])
  assert.deepEqual(provisional(), ['c'])
  receive('history', ['lobby', { messages: [line('4', 'Ben', 'c')], more: true, reset: true }])
  assert.deepEqual(provisional(), [])
  receive('provisional', ['Ben', 'hi', { key: 'c', room: 'lobby', time: 1 }])
  assert.deepEqual(provisional(), [], 'it is confirmed already')
})

test('a withdrawn message disappears, and so do those of an earlier connection', () => {
  for (const key of ['a', 'b'])
    receive('provisional', ['Ben', 'hi', { key, room: 'lobby', time: 1 }])
  receive('withdrawn', [{ key: 'a', room: 'lobby' }])
  receive('withdrawn', [{ key: 'a', room: 'lobby' }])
  receive('withdrawn', [{ key: 'b', room: 'elsewhere' }])
  assert.deepEqual([...roomNamed('lobby').provisional.keys()], ['b'])
  withdrawAll()
  assert.equal(roomNamed('lobby').provisional.size, 0)
})

test('people come, go and change their names', () => {
  receive('nicknames', [{ Ann: 'Ann', Ben: 'Ben' }, { room: 'lobby', users: 2, away: ['Ben'] }])
  assert.deepEqual(roomNamed('lobby').people.get('Ben'), { away: true })
  receive('announcement', ['', { kind: 'join', name: 'Cleo', users: 3 }, '1'])
  receive('announcement', ['', { kind: 'rename', was: 'Ben', name: 'Max', users: 3 }, '2'])
  assert.deepEqual(people().sort(), ['Ann', 'Cleo', 'Max'])
  assert.deepEqual(roomNamed('lobby').people.get('Max'), { away: true })
  receive('away', [{ name: 'Max', room: 'lobby', away: false }])
  assert.deepEqual(roomNamed('lobby').people.get('Max'), { away: false })
  receive('away', [{ name: 'nobody', room: 'lobby', away: true }])
  receive('announcement', ['', { kind: 'leave', name: 'Max' }, '3'])
  assert.deepEqual(people().sort(), ['Ann', 'Cleo'])
  assert.equal(roomNamed('lobby').users, 2)
  assert.deepEqual(lines().map(({ kind }) => kind), ['join', 'rename', 'leave'])
})

test('a notice about several people leaves this user out, and counts for all of its lines', () => {
  const names = ['Ben', 'Ann', 'Max']
  const meta = { kind: 'join', name: 'Ben', users: 4, names, ids: ['1', '2', '3'], id: '3' }
  receive('announcement', ['', meta, '3'])
  const [line] = lines()
  assert.deepEqual([line.from, line.names, line.id], ['Ben', ['Ben', 'Max'], '3'])
  assert.deepEqual(people(), ['Ben', 'Max'])
  assert.ok(['1', '2', '3'].every((id) => roomNamed('lobby').ids.has(id)))
})

test('a history is converted and applied', () => {
  const messages = [{ kind: 'message', id: '1', time: 1, from: 'Ben', text: 'hi' }]
  receive('history', ['garden', { messages, more: true }])
  assert.equal(lines('garden')[0].converted, true)
  assert.ok(roomNamed('garden').more)
})

test('typing expires, stops with a message and with leaving, and is not shown for oneself', () => {
  const { typing } = roomNamed('lobby')
  const type = (username) => receive('typing', [{ username, room: 'lobby' }])
  type('Ann')
  type('Ben')
  type('Max')
  assert.deepEqual([...typing.keys()], ['Ben', 'Max'])
  receive('user message', ['Ben', 'hi', {}, '1'])
  receive('announcement', ['', { kind: 'leave', name: 'Max' }, '2'])
  assert.equal(typing.size, 0)
  type('Ben')
  mock.timers.tick(4000)
  type('Ben')
  mock.timers.tick(4000)
  assert.equal(typing.size, 1, 'typing on prolongs it')
  receive('stop typing', [{ username: 'Ben', room: 'lobby' }])
  assert.equal(typing.size, 0)
  type('Ben')
  mock.timers.tick(6600)
  assert.equal(typing.size, 0)
})

test('session says who the user is, or that the server does not know', () => {
  receive('session', [{ instance: 'two', name: 'Ann', rooms: ['lobby'], token: 't',
    limits: { message: 10 } }])
  assert.deepEqual(calls, [['named', 'Ann', ['lobby'], 't']])
  assert.deepEqual([state.instance, state.me.token, state.limits.message, state.limits.nickname],
    ['two', 't', 10, 32])
  receive('session', [{ code: 'name_taken', message: 'm' }])
  receive('session', [{ code: 'name_lost' }])
  assert.deepEqual(calls.slice(1),
    [['unnamed', { code: 'name_taken', message: 'm' }], ['unnamed', undefined]])
  assert.equal(state.me.token, 't')
})

test('the status of the cluster is kept', () => {
  receive('status', [{ instance: 'three', cutOff: true, instances: [] }])
  assert.equal(state.instance, 'three')
  assert.equal(state.cluster.cutOff, true)
})
