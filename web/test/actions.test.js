import { FakeConnection, settled } from './environment.js'
import { any } from './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import { createActions } from '../page/js/actions.js'
import { createOutbox } from '../page/js/outbox.js'
import { recordEnd } from '../page/js/ended.js'
import { roomNamed } from '../page/js/rooms.js'
import { state } from '../page/js/state.js'
import { browser, tab } from '../page/js/storage.js'

let actions
let connection
let navigated

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_700_000_000_000 })
  for (const key of ['outbox', 'cids', 'rooms', 'token', 'requested-name'])
    tab.write(key, undefined)
  state.rooms.clear()
  roomNamed('lobby')
  state.room = 'lobby'
  state.me = { name: '', requestedName: '', token: undefined }
  state.nicknameDialog = { open: true, renaming: false, busy: false, refusal: null }
  state.link.phase = 'online'
  connection = new FakeConnection()
  navigated = []
  actions = createActions({
    connection,
    outbox: createOutbox(connection),
    toLine: (line) => line,
    navigation: { go: (room) => navigated.push(room),
      replace: (room) => navigated.push('replace ' + room) },
  })
})

async function enter(name = 'Ann') {
  actions.claimName(name)
  await connection.last('nickname').answer(false, { ok: true, name, token: 't', rooms: ['lobby'] })
}

test('a claimed name enters the chat', async () => {
  actions.claimName('  Ann ')
  const [name, { token }] = connection.last('nickname').args
  assert.equal(name, 'Ann')
  assert.match(token, /^[\w-]{21}[AQgw]$/, 'the token is one that the server accepts')
  assert.ok(state.nicknameDialog.busy)
  await connection.last('nickname')
    .answer(false, { ok: true, name: 'Ann', token: 't', rooms: ['lobby'] })
  assert.deepEqual(state.me, { name: 'Ann', requestedName: 'Ann', token: 't' })
  assert.ok(!state.nicknameDialog.open)
  assert.ok(roomNamed('lobby').joined)
  const kept = ['requested-name', 'token', 'rooms'].map((key) => tab.read(key, undefined, any))
  assert.deepEqual(kept, ['Ann', 't', ['lobby']])
})

test('all claims of a user have one token, and those of the next user another', async () => {
  const token = () => connection.last('nickname').args[1].token
  actions.claimName('Ann')
  const first = token()
  await connection.last('nickname').lose()
  actions.handleUnnamed() // the session of the next connection
  assert.equal(connection.of('nickname').length, 2)
  assert.equal(token(), first)
  await connection.last('nickname')
    .answer(false, { ok: true, name: 'Ann', token: first, rooms: ['lobby'] })
  assert.equal(state.me.token, first)
  actions.leaveChat()
  actions.claimName('Bea')
  assert.notEqual(token(), first)
})

test('a refused name keeps the dialog open', async () => {
  actions.claimName('Ben')
  await connection.last('nickname').answer(true, { ok: false, code: 'name_taken' })
  assert.deepEqual([state.nicknameDialog.open, state.nicknameDialog.busy], [true, false])
  assert.equal(state.nicknameDialog.refusal.code, 'name_taken')
  assert.equal(state.me.name, '')
})

test('a name refused for the moment is claimed again after the wait', async () => {
  actions.claimName('Ben')
  await connection.last('nickname').answer(true, { ok: false, code: 'too_fast', wait: 500 })
  mock.timers.tick(499)
  assert.equal(connection.of('nickname').length, 1)
  mock.timers.tick(1)
  assert.equal(connection.of('nickname').length, 2)
})

test('a claim without a connection is made by the next session', async () => {
  state.link.phase = 'waiting'
  actions.claimName('Ann')
  assert.equal(connection.calls.length, 0)
  state.link.phase = 'online'
  actions.handleUnnamed()
  assert.equal(connection.last('nickname').args[0], 'Ann')
  await connection.last('nickname').lose()
  assert.ok(state.nicknameDialog.busy)
  actions.handleUnnamed()
  assert.equal(connection.of('nickname').length, 2)
})

test('a user without a name is asked for one', () => {
  actions.handleUnnamed({ code: 'unavailable' })
  assert.deepEqual([state.nicknameDialog.open, state.nicknameDialog.refusal],
    [true, { code: 'unavailable' }])
  assert.deepEqual(connection.calls.map(({ event }) => event), ['who'])
})

test('a user whom the server does not know any more claims the last name with the token',
  async () => {
  await enter()
  actions.handleUnnamed()
  assert.equal(state.me.name, '')
  assert.ok(!roomNamed('lobby').joined)
  assert.deepEqual(connection.last('nickname').args, ['Ann', { token: 't' }])
})

test('a refused rename keeps the former name', async () => {
  await enter()
  state.nicknameDialog = { open: true, renaming: true, busy: false, refusal: null }
  actions.claimName('Ben')
  await connection.last('rename').answer(true, { ok: false, code: 'name_taken' })
  assert.deepEqual([state.me.name, state.me.requestedName, state.nicknameDialog.open],
    ['Ann', 'Ann', true])
})

test('a resumed user joins the rooms that the page wants again', async () => {
  roomNamed('garden')
  actions.handleNamed('Ann', ['lobby', 'kitchen'], 't')
  await settled()
  assert.deepEqual(connection.of('join').map(({ args: [room] }) => room), ['garden'])
  assert.ok(roomNamed('kitchen').joined)
  await connection.last('join').answer({ ok: true, room: 'garden', users: 2 })
  assert.ok(roomNamed('garden').joined)
  assert.equal(roomNamed('garden').users, 2)
  assert.deepEqual(tab.read('rooms', undefined, any).toSorted(), ['garden', 'kitchen', 'lobby'])
})

test('a room is shown by the name that the server writes', async () => {
  await enter()
  actions.showRoom('Garden')
  await connection.last('join').answer({ ok: true, room: 'garden', users: 1 })
  assert.deepEqual(navigated, ['replace garden'])
  assert.equal(state.room, 'garden')
  assert.ok(!state.rooms.has('Garden'))
})

test('a refused room says why, and is forgotten when another is shown', async () => {
  await enter()
  actions.showRoom('bad')
  await connection.last('join').answer({ ok: false, code: 'room_invalid' })
  assert.equal(roomNamed('bad').refusal.code, 'room_invalid')
  actions.showRoom('lobby')
  assert.ok(!state.rooms.has('bad'))
})

test('a temporarily refused request is repeated', async () => {
  await enter()
  actions.showRoom('garden')
  await connection.last('join').answer({ ok: false, code: 'too_fast', wait: 300 })
  mock.timers.tick(300)
  await settled()
  assert.equal(connection.of('join').length, 2)
  await connection.last('join').answer({ ok: true, room: 'garden' })
  assert.ok(roomNamed('garden').joined)
})

test('a room is joined once at a time, and again by the next session after a loss', async () => {
  await enter()
  actions.showRoom('garden')
  actions.showRoom('garden')
  assert.equal(connection.of('join').length, 1)
  state.link.phase = 'waiting'
  await connection.last('join').lose()
  assert.equal(roomNamed('garden').refusal, null)
  state.link.phase = 'online'
  actions.handleNamed('Ann', ['lobby'], 't')
  assert.equal(connection.of('join').length, 2)
})

test('a shown room has no unread messages', async () => {
  await enter()
  roomNamed('garden').unread = 3
  actions.showRoom('garden')
  assert.equal(roomNamed('garden').unread, 0)
})

test('leaving a room forgets it, also what arrives before the answer', async () => {
  await enter()
  actions.showRoom('garden')
  await connection.last('join').answer({ ok: true, room: 'garden' })
  actions.leaveRoom('garden')
  assert.deepEqual(navigated, ['lobby'])
  state.room = 'lobby'
  roomNamed('garden') // by an event
  await connection.last('leave').answer({ ok: true })
  assert.ok(!state.rooms.has('garden'))
  actions.leaveRoom('lobby')
  assert.equal(connection.of('leave').length, 1)
})

test('leaving the chat asks for a name again', async () => {
  await enter()
  roomNamed('garden')
  actions.leaveChat()
  assert.deepEqual(connection.emitted, [['leave']])
  assert.deepEqual(state.me, { name: '', requestedName: '', token: undefined })
  assert.deepEqual([...state.rooms.keys()], ['lobby'])
  assert.ok(state.nicknameDialog.open)
  assert.deepEqual([tab.read('token', 'none', any), tab.read('rooms', 'none', any)],
    ['none', 'none'])
})

test('the next person finds nothing of the one who left', async () => {
  await enter()
  state.room = 'lobby'
  actions.sendMessage('sent by Ann')
  actions.sendMessage('not sent by Ann')
  state.link.phase = 'waiting'
  tab.write('drafts', { lobby: 'a draft' })
  browser.write('nickname', 'Ann')
  roomNamed('lobby').lines =
    [{ kind: 'message', id: '1', n: 0, time: 1, from: 'Ann', text: 'hi', own: true }]
  const underWay = connection.last('user message')
  actions.leaveChat()
  assert.deepEqual(state.outbox, [])
  for (const key of ['outbox', 'cids', 'drafts', 'rooms'])
    assert.equal(tab.read(key, 'none', any), 'none', key)
  assert.equal(browser.read('nickname', 'none', any), 'none')
  assert.ok(!roomNamed('lobby').lines[0].own)

  state.link.phase = 'online'
  await enter('Ben')
  await underWay.answer({ ok: true, id: '2', time: 2 }) // of Ann's message
  assert.equal(connection.of('user message').length, 1)
  assert.deepEqual(roomNamed('lobby').lines.map(({ text }) => text), ['hi'])
  assert.deepEqual([state.me.name, tab.read('requested-name', undefined, any)], ['Ben', 'Ben'])
})

test('an identity that ends in another tab ends here', async () => {
  await enter()
  tab.write('drafts', { lobby: 'a draft' })
  browser.write('ended', undefined)
  actions.followLeave() // another value was stored
  assert.equal(state.me.name, 'Ann')
  state.link.replaced = true
  recordEnd('t')
  let retries = 0
  connection.retry = () => { retries++ }
  actions.followLeave()
  assert.deepEqual([state.me.name, state.nicknameDialog.open, tab.read('drafts', 'none', any)],
    ['', true, 'none'])
  // This tab may be the one that is connected.
  assert.deepEqual([connection.emitted, retries, state.link.replaced], [[['leave']], 1, false])
  actions.followLeave()
  assert.equal(retries, 1)
})

test('a claim that is answered after leaving does not enter the chat', async () => {
  actions.claimName('Ann')
  actions.leaveChat()
  await connection.last('nickname')
    .answer(false, { ok: true, name: 'Ann', token: 't', rooms: ['lobby'] })
  assert.deepEqual(state.me, { name: '', requestedName: '', token: undefined })
  connection.emitted = []
  actions.handleNamed('Ann', ['lobby']) // the session that the token had resumed
  assert.deepEqual([state.me.name, connection.emitted], ['', [['leave']]])
})

test('older lines are asked for before the first one, once at a time', async () => {
  const room = roomNamed('lobby')
  room.lines = [{ kind: 'message', id: '9', n: 0, time: 9, from: 'Ben', text: '' }]
  room.more = true
  actions.loadOlder(room)
  actions.loadOlder(room)
  assert.deepEqual(connection.of('history').map(({ args }) => args),
    [[{ room: 'lobby', before: '9', limit: 100 }]])
  await connection.last('history').answer({
    ok: true, more: true, messages: [{ kind: 'message', id: '8', time: 8, from: 'Ben', text: '' }],
  })
  assert.equal(room.lines[0].id, '8')
  actions.loadOlder(room)
  assert.equal(connection.last('history').args[0].before, '8')
  await connection.last('history').answer({ ok: true, more: true, messages: [] })
  assert.ok(!room.more, 'an empty page is the end')
  actions.loadOlder(room)
  assert.equal(connection.of('history').length, 2)
})

test('a refused request for older lines is not made again by itself', async () => {
  const room = roomNamed('lobby')
  room.lines = [{ kind: 'message', id: '9', n: 0, time: 9, from: 'Ben', text: '' }]
  room.more = true
  actions.loadOlder(room)
  const made = connection.of('history').length
  await connection.last('history').answer({ code: 'bad_argument' })
  assert.deepEqual([room.loading, room.olderRefusal], [false, { code: 'bad_argument' }])
  actions.loadOlder(room)
  assert.equal(connection.of('history').length, made, 'as at each drawing')
  actions.loadOlder(room, true)
  await connection.last('history').answer({ code: 'bad_argument' })
  assert.equal(connection.of('history').length, made + 1, 'by the button')
  actions.handleNamed('Ann', ['lobby'], 't')
  actions.loadOlder(room)
  assert.equal(connection.of('history').length, made + 2, 'after the room is joined again')
})

test('typing is sent at most every 2.5 seconds, and its end once', () => {
  actions.setTyping(true)
  mock.timers.tick(2500)
  actions.setTyping(true)
  mock.timers.tick(1)
  actions.setTyping(true)
  assert.equal(connection.emitted.length, 2)
  actions.setTyping(false)
  actions.setTyping(false)
  assert.deepEqual(connection.emitted.at(-1), ['stop typing', { room: 'lobby' }])
  assert.equal(connection.emitted.length, 3)
  actions.setTyping(true)
  actions.sendMessage('done') // the message itself ends it
  actions.setTyping(false)
  assert.equal(connection.emitted.length, 4)
})
