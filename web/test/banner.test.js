import './environment.js'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { changed, state } from '../page/js/state.js'

mock.timers.enable({ apis: ['setTimeout'] })
globalThis.addEventListener ??= () => {}

const { createBanner } = await import('../page/js/view/banner.js')

/** What the banner needs of an element. */
const element = () => ({ hidden: true, textContent: '', className: '', addEventListener: () => {} })

test('the banner says calmly that messages are not saved, as long as they are not', () => {
  const [banner, text, action] = [element(), element(), element()]
  const announced = []
  const announce = (words) => announced.push(words)
  createBanner({ banner, text, action, announce, actions: { reconnect() {} } })
  Object.assign(state.link, { phase: 'online', wasOnline: true })
  state.nicknameDialog.open = false
  const show = (status) => {
    state.cluster = { instance: 'one', instances: [], ...status }
    changed('cluster')
    mock.timers.tick(0)
  }
  show({})
  assert.equal(banner.hidden, true)
  show({ unsaved: 'the store is full' })
  show({ unsaved: 'the store is full' })
  assert.equal(banner.hidden, false)
  assert.equal(banner.className, 'banner warning')
  assert.match(text.textContent, /not saved yet/)
  assert.equal(action.hidden, true)
  assert.equal(announced.length, 1)
  show({ unsaved: 'the store is full', cutOff: true }) // which matters more
  assert.match(text.textContent, /lost touch/)
  show({})
  assert.equal(banner.hidden, true)
})
