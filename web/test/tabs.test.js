import { settled } from './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { createTabs, openChannel } from '../page/js/tabs.js'

mock.timers.enable({ apis: ['setTimeout'] })

/** Returns channels that hear each other, as the tabs of a browser do. */
function channels(n) {
  const all = Array.from({ length: n }, () => new EventTarget())
  for (const one of all) {
    one.postMessage = (data) => {
      for (const other of all) if (other !== one)
        other.dispatchEvent(Object.assign(new Event('message'), { data }))
    }
  }
  return all
}

const ann = { name: 'Ann', token: 't', rooms: ['lobby'], cids: ['c'] }

test('a tab finds who chats in another', async () => {
  const [one, two, three] = channels(3)
  createTabs({ channel: one, inUse: () => ann })
  createTabs({ channel: two, inUse: () => undefined })
  assert.deepEqual(await createTabs({ channel: three, inUse: () => undefined }).find(), ann)
})

test('a tab finds who chats in one with an older page, which names no messages', async () => {
  const [one, two] = channels(2)
  const older = { name: 'Ann', token: 't', rooms: ['lobby'] }
  createTabs({ channel: one, inUse: () => older })
  const found = await createTabs({ channel: two, inUse: () => undefined }).find()
  assert.deepEqual(found, { ...ann, cids: [] })
})

test('without a channel a tab is alone', async () => {
  const { BroadcastChannel } = globalThis
  globalThis.BroadcastChannel = class { constructor() { throw new Error('forbidden') } }
  const channel = openChannel('chatapp')
  globalThis.BroadcastChannel = BroadcastChannel
  const found = createTabs({ channel, inUse: () => ann, locks: locksOf(1) }).find()
  mock.timers.tick(1000)
  await settled()
  assert.equal(await found, undefined)
})

const locksOf = (tabs) => ({
  request: async (name, options, run) => run(),
  query: async () => ({
    held: [{ name: 'another lock' }, ...Array(tabs).fill({ name: 'chatapp tab ' })],
  }),
})

test('without another tab, or with one that says something else, it finds nobody soon',
  async () => {
    for (const locks of [undefined, locksOf(1)]) {
      const [one, two] = channels(2)
      const found = createTabs({ channel: one, inUse: () => undefined, locks }).find()
      two.postMessage({ ...ann, name: 7 })
      two.postMessage(null)
      mock.timers.tick(1000)
      await settled()
      assert.equal(await found, undefined)
    }
  })

test('it waits for tabs that are busy, until all have answered', async () => {
  const [one, two] = channels(2)
  let answer = 'none yet'
  const find = () => {
    answer = 'none yet'
    const { find: ask } = createTabs({ channel: one, inUse: () => undefined, locks: locksOf(3) })
    ask().then((found) => { answer = found })
    two.postMessage('nobody')
    mock.timers.tick(1000)
    return settled()
  }
  await find()
  assert.equal(answer, 'none yet')
  two.postMessage(ann)
  await settled()
  assert.deepEqual(answer, ann)
  await find()
  two.postMessage('nobody')
  await settled()
  assert.equal(answer, undefined)
  await find()
  assert.equal(answer, 'none yet')
  mock.timers.tick(20000)
  await settled()
  assert.equal(answer, undefined)
})

test('a tab hears what others send', () => {
  const [one, two] = channels(2)
  const heard = []
  createTabs({ channel: one, inUse: () => undefined, onSent: (message) => heard.push(message) })
  const { tellSent } = createTabs({ channel: two, inUse: () => ann })
  tellSent({ token: 't', cid: 'c' })
  two.postMessage({ token: 't', cid: 7 })
  assert.deepEqual(heard, [{ token: 't', cid: 'c' }])
})
