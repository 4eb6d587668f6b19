import { settled } from './environment.js'
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { state } from '../page/js/state.js'
import { createTrouble } from '../page/js/trouble.js'

let answers
let asked
const trouble = createTrouble({
  reach: async () => {
    asked++
    return answers
  },
})

beforeEach(() => {
  navigator.onLine = true
  asked = 0
  trouble.connected()
})

async function fail() {
  trouble.failed()
  await settled()
}

test('one failure is no trouble yet', async () => {
  await fail()
  assert.deepEqual([state.link.trouble, asked], ['', 0])
})

test('refused connections, a server that is gone and a device that is offline are told apart',
  async () => {
  await fail()
  answers = true
  await fail()
  assert.equal(state.link.trouble, 'refused')
  answers = false
  await fail()
  assert.equal(state.link.trouble, 'gone')
  navigator.onLine = false
  await fail()
  assert.deepEqual([state.link.trouble, asked], ['offline', 2])
  trouble.connected()
  assert.equal(state.link.trouble, '')
})

test('an answer that comes after the connection is of no interest', async () => {
  await fail()
  answers = false
  trouble.failed()
  trouble.connected()
  await settled()
  assert.equal(state.link.trouble, '')
})
