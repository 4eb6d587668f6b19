import { settled } from './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { ConnectionLost, createConnection } from '../page/js/connection.js'

/** A carrier whose other end is the test. */
class FakeCarrier {
  static opened = []

  sent = []
  closed = false

  constructor(attempt) {
    this.attempt = attempt
    FakeCarrier.opened.push(this)
  }

  send(message) {
    this.sent.push(message)
  }

  close() {
    this.closed = true
  }

  /** Delivers a message of the server. */
  receive(message) {
    this.onmessage(message)
  }

  /** Completes the connection. */
  accept() {
    this.onopen()
    this.receive({ connect: {} })
  }
}

let random = 0
mock.method(Math, 'random', () => random)

let phases
let events
let connection

beforeEach(() => {
  mock.timers.reset() // no connection of another test goes on
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_700_000_000_000 })
  FakeCarrier.opened = []
  phases = []
  events = []
  random = 0
  connection = createConnection({
    openCarrier: (attempt) => new FakeCarrier(attempt),
    connectPayload: () => ({ token: 't' }),
    onEvent: (name, args) => events.push([name, args]),
    onPhase: (phase, detail) => phases.push({ phase, ...detail }),
    probe: 'status',
  })
})

const socket = () => FakeCarrier.opened.at(-1)
const phase = () => phases.at(-1).phase
const count = () => FakeCarrier.opened.length

function online() {
  connection.open()
  socket().accept()
}

/** Returns how long after a loss the next attempt comes, in ms. */
function delay() {
  const { phase: is, retryAt } = phases.at(-1)
  assert.equal(is, 'waiting')
  return retryAt - performance.now()
}

test('the first message of a connection carries the payload', () => {
  connection.open()
  assert.equal(phase(), 'connecting')
  socket().onopen()
  assert.deepEqual(socket().sent, [{ connect: { token: 't' } }])
  assert.equal(phase(), 'connecting')
  socket().receive({ connect: {} })
  assert.equal(phase(), 'online')
})

test('events go both ways', () => {
  assert.equal(connection.emit('typing'), false)
  online()
  socket().receive({ event: 'user message', args: ['Ben', 'hi'] })
  socket().receive({ event: 'replaced' })
  assert.deepEqual(events, [['user message', ['Ben', 'hi']], ['replaced', []]])
  assert.equal(connection.emit('leave'), true)
  connection.emit('typing', { room: 'a' })
  assert.deepEqual(socket().sent.slice(1),
    [{ event: 'leave' }, { event: 'typing', args: [{ room: 'a' }] }])
})

test('a call gets the answer to its own id', async () => {
  online()
  const first = connection.call('join', 'a')
  const second = connection.call('join', 'b')
  const [, { id: one }, { id: two }] = socket().sent
  assert.notEqual(one, two)
  socket().receive({ ack: two, args: ['for b'] })
  socket().receive({ ack: one })
  socket().receive({ ack: 99, args: ['for nobody'] })
  assert.deepEqual(await second, ['for b'])
  assert.deepEqual(await first, [])
})

test('a call is rejected when its connection is lost, and without one', async () => {
  await assert.rejects(connection.call('join', 'a'), ConnectionLost)
  online()
  const call = connection.call('join', 'a')
  socket().onclose()
  await assert.rejects(call, ConnectionLost)
})

test('a stable connection that is lost is made again at once, with jitter', () => {
  online()
  mock.timers.tick(5001)
  socket().onclose()
  const at = performance.now()
  assert.deepEqual(phases.at(-1), { phase: 'waiting', retryAt: at, since: at })
  mock.timers.tick(1)
  assert.equal(count(), 2)
  socket().accept()
  random = 1
  mock.timers.tick(5001)
  socket().onclose()
  assert.equal(delay(), 250)
})

test('attempts become ever rarer, up to a limit, until a connection is stable', () => {
  connection.open()
  const delays = []
  for (let i = 0; i < 9; i++) {
    socket().onclose()
    delays.push(delay())
    mock.timers.tick(delay() + 1)
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000])
  random = 1
  socket().onclose()
  assert.equal(delay(), 30000)
  mock.timers.tick(30001)
  socket().accept()
  mock.timers.tick(4000) // not long enough to count
  socket().onclose()
  assert.equal(delay(), 30000)
  mock.timers.tick(30001)
  socket().accept()
  mock.timers.tick(5001)
  socket().onclose()
  assert.equal(delay(), 250)
  mock.timers.tick(251)
  socket().onclose()
  assert.equal(delay(), 1000)
})

test('an attempt that takes too long is given up', () => {
  connection.open()
  mock.timers.tick(7999)
  assert.equal(phase(), 'connecting')
  mock.timers.tick(1)
  assert.equal(phase(), 'waiting')
  assert.ok(FakeCarrier.opened[0].closed)
})

test('nothing of an abandoned connection counts', () => {
  connection.open()
  const old = socket()
  old.onclose()
  mock.timers.tick(1000)
  socket().accept()
  old.onclose()
  old.receive({ event: 'late', args: [] })
  assert.equal(phase(), 'online')
  assert.deepEqual(events, [])
})

test('a refused connection is tried again later', () => {
  connection.open()
  socket().onopen()
  socket().receive({ connect_error: { message: 'full' } })
  assert.equal(phase(), 'waiting')
})

test('a connection that the server ends is made again only when asked for', () => {
  online()
  socket().receive({ disconnect: {} })
  socket().onclose()
  assert.equal(phase(), 'closed')
  mock.timers.tick(60_000)
  connection.wake()
  assert.equal(count(), 1)
  connection.retry()
  assert.equal(count(), 2)
})

test('retry connects now, and leaves a connection alone that is being made', () => {
  connection.open()
  connection.retry()
  assert.equal(count(), 1)
  socket().onclose()
  connection.retry()
  assert.equal(count(), 2)
  mock.timers.tick(1000)
  assert.equal(count(), 2, 'the attempt that was planned is not made as well')
})

test('a late answer is followed by a probe, and a lost probe by a new connection', async () => {
  online()
  mock.timers.tick(1)
  const call = connection.call('join', 'a')
  mock.timers.tick(699)
  assert.equal(socket().sent.length, 2)
  mock.timers.tick(1)
  assert.deepEqual(socket().sent.at(-1), { event: 'status' })
  const probedAt = performance.now()
  mock.timers.tick(2000)
  assert.deepEqual([phase(), phases.at(-1).since], ['waiting', probedAt])
  assert.ok(FakeCarrier.opened[0].closed)
  await assert.rejects(call, ConnectionLost)
})

test('any message shows that the connection lives', async () => {
  online()
  mock.timers.tick(1)
  connection.call('join', 'a').catch(() => {})
  mock.timers.tick(700)
  mock.timers.tick(1000)
  socket().receive({ event: 'typing', args: [] })
  mock.timers.tick(5000)
  assert.equal(phase(), 'online')
  connection.call('join', 'b').catch(() => {})
  mock.timers.tick(100)
  socket().receive({ event: 'typing', args: [] })
  mock.timers.tick(10_000)
  assert.equal(socket().sent.filter(({ event }) => event === 'status').length, 1)
  await settled()
})

test('an idle connection is probed, one probe at a time', () => {
  random = 1
  online()
  mock.timers.tick(15_000)
  connection.checkIdle()
  assert.equal(socket().sent.length, 1)
  mock.timers.tick(1)
  connection.checkIdle()
  connection.checkIdle()
  assert.equal(socket().sent.length, 2)
  mock.timers.tick(1999)
  assert.equal(phase(), 'online')
  mock.timers.tick(1)
  assert.equal(phase(), 'waiting')
})

test('waking connects at once, or probes a connection that has been silent', () => {
  connection.wake()
  assert.equal(count(), 0, 'not before the page wants a connection')
  connection.open()
  socket().onclose()
  connection.wake()
  assert.equal(count(), 2)
  socket().accept()
  mock.timers.tick(1000)
  connection.wake()
  assert.equal(socket().sent.length, 1)
  mock.timers.tick(1)
  connection.wake()
  assert.deepEqual(socket().sent.at(-1), { event: 'status' })
})

test('a clock that is set back delays nothing', (t) => {
  random = 1
  online()
  const atHour = Date.now
  t.mock.method(Date, 'now', () => atHour() - 3_600_000)
  mock.timers.tick(15_001)
  connection.checkIdle()
  assert.deepEqual(socket().sent.at(-1), { event: 'status' })
  mock.timers.tick(2001)
  assert.equal(phase(), 'waiting')
  assert.ok(delay() <= 250)
})
