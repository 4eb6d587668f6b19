import './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { continuesRun } from '../page/js/coming.js'
import { noticePieces, runPieces, startsDay, startsGroup, statusText } from '../page/js/line.js'
import { state } from '../page/js/state.js'

const noon = new Date(2030, 4, 17, 12).getTime()
const minute = 60_000
mock.timers.enable({ apis: ['Date', 'setTimeout'], now: noon })

test('messages of one author within five minutes are one group', () => {
  const first = { kind: 'message', from: 'Ben', time: noon }
  assert.ok(startsGroup(first, undefined))
  assert.ok(!startsGroup({ ...first, time: noon + 5 * minute }, first))
  assert.ok(startsGroup({ ...first, time: noon + 5 * minute + 1 }, first))
  assert.ok(startsGroup({ ...first, from: 'Ann' }, first))
  assert.ok(startsGroup({ ...first, own: true }, first))
  assert.ok(startsGroup(first, { kind: 'join', from: 'Ben', time: noon }))
})

test('a day begins at midnight, and with the first line', () => {
  const before = { kind: 'message', from: 'Ben', time: new Date(2030, 4, 17, 23, 59).getTime() }
  const after = { ...before, time: new Date(2030, 4, 18, 0, 1).getTime() }
  assert.ok(startsDay(before, undefined))
  assert.ok(startsDay(after, before))
  assert.ok(startsGroup(after, before))
  assert.ok(!startsDay(before, { ...before, time: noon }))
})

const plain = (pieces) => pieces.map((piece) => piece.name ?? piece).join('')

for (const [line, room, want] of [
  [{ kind: 'join', from: 'Ben' }, 'lobby', 'Ben connected'],
  [{ kind: 'leave', from: 'Ben' }, 'lobby', 'Ben disconnected'],
  [{ kind: 'join', from: 'Ben' }, 'garden', 'Ben joined'],
  [{ kind: 'leave', from: 'Ben' }, 'garden', 'Ben left'],
  [{ kind: 'rename', was: 'Ben', from: 'Max' }, 'lobby', 'Ben is now Max'],
  [{ kind: 'join', from: 'Ben', names: ['Ben'] }, 'lobby', 'Ben connected'],
  [{ kind: 'join', from: 'Ben', names: ['Ben', 'Ann'] }, 'lobby', 'Ben and Ann connected'],
  [{ kind: 'leave', from: 'Ben', names: ['Ben', 'Ann', 'Max'] }, 'garden', 'Ben and 2 others left'],
  [{ kind: 'note', from: 'Ben', text: 'of a later version' }, 'lobby', 'of a later version'],
  [{ kind: 'join', from: '', text: 'nobody named' }, 'lobby', 'nobody named'],
]) {
  test(`the notice "${want}"`, () => assert.equal(plain(noticePieces(line, room)), want))
}

test('a message says how its sending stands', () => {
  const entry = { cid: 'c', room: 'lobby', text: 'x', time: noon, status: 'sending', until: 0 }
  state.link.phase = 'waiting'
  assert.equal(statusText(entry), 'Waiting for the connection')
  state.link.phase = 'online'
  assert.equal(statusText(entry), 'Sending')
  assert.equal(statusText({ ...entry, startedAt: performance.now() - 1501 }), 'Waiting for the log')
  const waiting = { ...entry, status: 'waiting', until: performance.now() + 1200 }
  assert.equal(statusText({ ...waiting, refusal: { code: 'too_fast' } }),
    'Too fast: goes out in 2 seconds')
  assert.equal(statusText({ ...waiting, refusal: { code: 'overloaded' } }),
    'The server is busy. Your message goes out as soon as it can.')
  assert.equal(statusText({ ...entry, status: 'failed', refusal: { code: 'too_long' } }),
    'Not sent: The message is too long.')
})

test('names stand apart from the words of a notice', () => {
  const tricky = 'Bob disconnected'
  assert.deepEqual(noticePieces({ kind: 'rename', was: tricky, from: 'is now Eve' }, 'lobby'),
    [{ name: tricky }, ' is now ', { name: 'is now Eve' }])
  assert.deepEqual(noticePieces({ kind: 'leave', from: '{n}' }, 'lobby'),
    [{ name: '{n}' }, ' disconnected'])
})

test('a run of coming and going says once of each person what it comes to', () => {
  const line = (kind, from, names) => ({ kind, from, names, time: noon })
  const run = [line('join', 'Ann'), line('join', 'Ben', ['Ben', 'Cleo', 'Dan']),
    line('leave', 'Eve'),
    line('leave', 'Ann'), line('join', 'Eve'), line('leave', 'Max')]
  assert.equal(plain(runPieces(run, 'lobby')),
    'Ann came and left · Ben and 2 others connected · Eve left and came back · Max disconnected')
  assert.equal(plain(runPieces([line('join', 'Ann'), line('join', 'Ben')], 'garden')),
    'Ann and Ben joined')
})

test('a run goes on with coming and going of the same day alone', () => {
  const ann = { kind: 'join', from: 'Ann', time: noon }
  assert.ok(continuesRun({ ...ann, kind: 'leave' }, ann))
  assert.ok(!continuesRun(ann, undefined))
  assert.ok(!continuesRun({ ...ann, time: noon + 86_400_000 }, ann))
  assert.ok(!continuesRun({ ...ann, kind: 'rename' }, ann))
  assert.ok(!continuesRun(ann, { ...ann, kind: 'message' }))
})
