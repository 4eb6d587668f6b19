import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionOf, parseWish } from '../page/js/commands.js'
import { offersFor, withEmoji } from '../page/js/completion.js'
import { emoji } from '../page/js/emoji.js'

for (const [text, want] of [
  ['hello', { kind: 'send', text: 'hello' }],
  ['/nick  Ann Lee ', { kind: 'nick', name: 'Ann Lee' }],
  ['/join #garden', { kind: 'join', name: 'garden' }],
  ['/JOIN 정원', { kind: 'join', name: '정원' }],
  ['/me waves\nand smiles', { kind: 'send', text: '/me waves\nand smiles' }],
  ['/me', { kind: 'help' }],
  ['/nick', { kind: 'help' }],
  ['/help', { kind: 'help' }],
  ['/?', { kind: 'help' }],
  ['/hlep me', { kind: 'help', unknown: 'hlep' }],
  ['//join garden', { kind: 'send', text: '/join garden' }],
  ['/etc/hosts', { kind: 'send', text: '/etc/hosts' }],
  ['/ is the root', { kind: 'send', text: '/ is the root' }],
  ['1/2', { kind: 'send', text: '1/2' }],
]) test(`${JSON.stringify(text)} is understood`, () => assert.deepEqual(parseWish(text), want))

test('an action says what somebody does', () => {
  assert.equal(actionOf('/me waves'), 'waves')
  for (const text of ['/me', '/me ', '/mean it', 'x /me waves', '//me waves'])
    assert.equal(actionOf(text), undefined)
})

const offered = (text, names = ['Ann', 'ann lee', 'Ben', '민아']) =>
  offersFor(text, text.length, names).map(({ insert }) => insert)

test('names are offered after @ at the beginning of a word', () => {
  assert.deepEqual(offered('hi @AN'), ['@Ann ', '@ann lee '])
  assert.deepEqual(offered('@민'), ['@민아 '])
  assert.equal(offered('@').length, 4)
  for (const text of ['mail@ann', '@zoe', '@ann ', 'ann']) assert.deepEqual(offered(text), [], text)
  const [{ from, to }] = offersFor('hi @be you', 6, ['Ben'])
  assert.deepEqual([from, to], [3, 6])
})

test('emoji are offered after a colon, those first that begin so', () => {
  assert.equal(offered('yes :thumbsup')[0], '👍 ')
  assert.deepEqual(offered(':hea').slice(0, 2), ['😍 ', '❤️ '])
  const none = [':)', ':d', '12:30', 'a:smile', '::smile', ':nothing_like_it']
  for (const text of none) assert.deepEqual(offered(text), [])
})

test('whole shortcodes become emoji, but not in code or words', () => {
  assert.equal(withEmoji('good :+1: and :tada:!'), 'good 👍 and 🎉!')
  for (const text of ['`:tada:`', ':nothing:', '10:30:45', 'a:tada:b'])
    assert.equal(withEmoji(text), text)
})

test('every emoji is one, and has one code', () => {
  assert.ok(emoji.size > 170)
  for (const [code, sign] of emoji) assert.match(sign, /^\p{RGI_Emoji}$/v, code)
})
