import { FakeConnection, settled } from './environment.js'
import { any } from './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { createOutbox } from '../page/js/outbox.js'
import { roomNamed } from '../page/js/rooms.js'
import { state } from '../page/js/state.js'
import { tab } from '../page/js/storage.js'

const start = 1_700_000_000_000
mock.timers.enable({ apis: ['Date', 'setTimeout'], now: start })

let connection
let outbox

beforeEach(() => {
  tab.write('outbox', undefined)
  tab.write('cids', undefined)
  state.rooms.clear()
  state.me.name = 'Ann'
  state.link.phase = 'online'
  for (const name of ['lobby', 'garden']) roomNamed(name).joined = true
  connection = new FakeConnection()
  outbox = createOutbox(connection)
})

const sentTexts = () => connection.calls.map(({ args: [text] }) => text)
const shown = (room) => roomNamed(room).lines.map(({ text }) => text)
const ok = (id, more) => ({ ok: true, id, time: Date.now(), latency: 1, ...more })

test('a message waits for the one before it in its room, not for other rooms', async () => {
  for (const text of ['1', '2', '3']) outbox.add('lobby', text)
  outbox.add('garden', 'elsewhere')
  assert.deepEqual(sentTexts(), ['1', 'elsewhere'])
  await connection.calls[0].answer(ok('a'))
  assert.deepEqual(sentTexts(), ['1', 'elsewhere', '2'])
  await connection.calls[2].answer(ok('b'))
  await connection.calls[3].answer(ok('c'))
  assert.deepEqual(shown('lobby'), ['1', '2', '3'])
  assert.deepEqual(state.outbox.map(({ text }) => text), ['elsewhere'])
  const [line] = roomNamed('lobby').lines
  assert.deepEqual([line.own, line.id, line.from, line.kind], [true, 'a', 'Ann', 'message'])
})

test('a message keeps its client message id until it is in the log', async () => {
  outbox.add('lobby', '1')
  outbox.add('lobby', '2')
  const [, options] = connection.calls[0].args
  assert.equal(options.room, 'lobby')
  assert.match(options.cid, /^[0-9a-f]{24}$/)
  await connection.calls[0].lose()
  assert.equal(connection.calls.length, 1, 'nothing is sent before the connection is back')
  assert.equal(state.outbox[0].status, 'waiting')
  outbox.sendNext()
  assert.deepEqual(connection.calls[1].args, ['1', options])
  await connection.calls[1].answer(ok('a', { duplicate: true }))
  assert.deepEqual(sentTexts(), ['1', '1', '2'])
  assert.notEqual(connection.calls[2].args[1].cid, options.cid)
})

test('a message whose first attempt succeeded stands where it was said', async () => {
  outbox.add('lobby', 'mine')
  await connection.calls[0].lose()
  const { lines } = roomNamed('lobby')
  lines.push({ kind: 'message', n: 0, id: 'x', time: start + 100, from: 'Ben', text: 'later' })
  outbox.sendNext()
  await connection.calls[1].answer({ ok: true, id: 'a', time: start + 50, duplicate: true })
  assert.deepEqual(shown('lobby'), ['mine', 'later'])
})

test('nothing is sent without a connection, a name, or membership of the room', async () => {
  state.link.phase = 'waiting'
  outbox.add('lobby', '1')
  state.link.phase = 'online'
  state.me.name = ''
  outbox.sendNext()
  state.me.name = 'Ann'
  roomNamed('lobby').joined = false
  outbox.sendNext()
  assert.equal(connection.calls.length, 0)
  roomNamed('lobby').joined = true
  outbox.sendNext()
  assert.deepEqual(sentTexts(), ['1'])
})

test('a temporarily refused message is sent again at its time, before the next one', async () => {
  outbox.add('lobby', '1')
  outbox.add('lobby', '2')
  await connection.calls[0].answer({ ok: false, code: 'too_fast', wait: 3000 })
  assert.deepEqual([state.outbox[0].status, state.outbox[0].until],
    ['waiting', performance.now() + 3000])
  outbox.sendNext()
  mock.timers.tick(2999)
  assert.deepEqual(sentTexts(), ['1'])
  mock.timers.tick(10)
  assert.deepEqual(sentTexts(), ['1', '1'])
  await connection.calls[1].answer({ ok: false, code: 'overloaded' })
  mock.timers.tick(1900)
  assert.equal(connection.calls.length, 2)
  mock.timers.tick(200)
  await connection.calls[2].answer(ok('a'))
  assert.deepEqual(sentTexts(), ['1', '1', '1', '2'])
})

test('a refused message stays, marked as failed, and does not hold up the next one', async () => {
  outbox.add('lobby', 'too long')
  outbox.add('lobby', 'short')
  await connection.calls[0].answer({ ok: false, code: 'too_long' })
  assert.deepEqual(state.outbox.map(({ text, status }) => [text, status]),
    [['too long', 'failed'], ['short', 'sending']])
  await connection.calls[1].answer(ok('a'))
  assert.deepEqual(state.outbox.map(({ refusal }) => refusal.code), ['too_long'])
  await settled()
  assert.equal(connection.calls.length, 2, 'a failed message is not sent again by itself')
})

test('a failed message can be sent again, as the last one, or taken back', async () => {
  outbox.add('lobby', 'bad')
  await connection.calls[0].answer(undefined)
  const [{ cid, refusal }] = state.outbox
  assert.equal(refusal.code, 'unknown')
  outbox.add('lobby', 'next')
  outbox.retry(cid)
  assert.deepEqual(state.outbox.map(({ text }) => text), ['next', 'bad'])
  await connection.calls[1].answer(ok('a'))
  assert.equal(connection.calls[2].args[1].cid, cid)
  await connection.calls[2].answer({ ok: false, code: 'empty' })
  assert.equal(outbox.discard(cid), 'bad')
  assert.equal(outbox.discard(cid), '')
  assert.equal(state.outbox.length, 0)
})

test('a message refused for lack of membership waits until the room is joined', async () => {
  outbox.add('garden', '1')
  await connection.calls[0].answer({ ok: false, code: 'not_in_room' })
  assert.ok(!roomNamed('garden').joined)
  mock.timers.tick(10_000)
  assert.equal(connection.calls.length, 1)
  roomNamed('garden').joined = true
  outbox.sendNext()
  assert.equal(connection.calls.length, 2)
})

test('a message that the log delivers first leaves the outbox, and is shown once', async () => {
  outbox.add('lobby', '1')
  const [{ cid }] = state.outbox
  assert.ok(!outbox.markDelivered(undefined))
  assert.ok(!outbox.markDelivered("another user's"))
  assert.ok(outbox.markDelivered(cid))
  assert.equal(state.outbox.length, 0)
  assert.ok(outbox.markDelivered(cid), 'it is still recognised as an own one')
  roomNamed('lobby').lines.push(
    { kind: 'message', id: 'a', n: 0, time: start, from: 'Ann', text: '1' })
  roomNamed('lobby').ids.add('a')
  await connection.calls[0].answer(ok('a'))
  assert.deepEqual(shown('lobby'), ['1'])
})

test('the outbox and the own ids survive a reload', async () => {
  outbox.add('lobby', 'refused')
  await connection.calls[0].answer({ ok: false, code: 'too_long' })
  outbox.add('lobby', 'under way')
  const [, { cid }] = state.outbox
  state.outbox = []
  connection = new FakeConnection()
  outbox = createOutbox(connection)
  assert.deepEqual(state.outbox.map(({ text, status }) => [text, status]),
    [['refused', 'failed'], ['under way', 'waiting']])
  outbox.sendNext()
  assert.deepEqual(connection.calls[0].args, ['under way', { room: 'lobby', cid }])
  assert.ok(outbox.markDelivered(cid))
})

test('the last 300 own ids are kept', () => {
  state.link.phase = 'waiting'
  for (let i = 0; i <= 300; i++) outbox.add('lobby', String(i))
  const [first, second] = state.outbox
  assert.ok(!outbox.markDelivered(first.cid))
  assert.ok(outbox.markDelivered(second.cid))
  assert.equal(tab.read('cids', [], any).length, 300)
})

test('messages follow their room to the name that the server writes', async () => {
  roomNamed('Garden').joined = true
  outbox.add('Garden', '1')
  outbox.add('Garden', '2')
  outbox.renameRoom('Garden', 'garden')
  assert.deepEqual(state.outbox.map(({ room }) => room), ['garden', 'garden'])
  await connection.calls[0].answer(ok('a', { room: 'garden' }))
  assert.deepEqual(connection.calls.at(-1).args[0], '2')
  assert.equal(connection.calls.at(-1).args[1].room, 'garden')
  assert.deepEqual(shown('garden'), ['1'])
})
