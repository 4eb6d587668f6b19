import { settled } from './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { createTabs } from '../page/js/tabs.js'

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

const ann = { name: 'Ann', token: 't', rooms: ['lobby'] }

test('a tab finds who chats in another', async () => {
  const [one, two, three] = channels(3)
  createTabs({ channel: one, inUse: () => ann })
  createTabs({ channel: two, inUse: () => undefined })
  assert.deepEqual(await createTabs({ channel: three, inUse: () => undefined }).find(), ann)
})

test('without another tab, or with one that says something else, it finds nobody soon',
  async () => {
  const [one, two] = channels(2)
  const found = createTabs({ channel: one, inUse: () => undefined }).find()
  two.postMessage({ name: 7, token: 't', rooms: [] })
  two.postMessage(null)
  mock.timers.tick(1000)
  await settled()
  assert.equal(await found, undefined)
})
