import './environment.js'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { mock, test } from 'node:test'
import en from '../page/js/languages/en.js'
import { clockTime, dayName, explain, formatNumber, language, milliseconds, setLanguage, t } from
  '../page/js/i18n.js'

mock.timers.enable({ apis: ['Date', 'setTimeout'], now: new Date(2030, 4, 17, 12) })

test("the browser's language is spoken at first, in the reader's own variety", () => {
  assert.equal(language, 'en')
  assert.equal(clockTime(new Date(2030, 4, 17, 15, 5).getTime()), '15:05')
})

test('a text contains the values it names', () => {
  assert.equal(t('saidIn', { from: 'Ben', room: 'garden', text: '{from}' }),
    'Ben in #garden: {from}')
  assert.equal(t('renamed', {}), ' is now ')
  assert.throws(() => t('no such key'), /no such key/)
})

test('a number selects the plural, and is written as the reader does', () => {
  assert.equal(t('people', { n: 1 }), '1 person here')
  assert.equal(t('people', { n: 0 }), '0 people here')
  assert.equal(t('people', { n: 12345 }), '12,345 people here')
  assert.equal(formatNumber(1234567), '1,234,567')
})

test('a refusal is explained in seconds, at least one', () => {
  assert.equal(explain({ code: 'too_fast', wait: 200 }), 'Too fast. Wait 1 second.')
  assert.equal(explain({ code: 'too_fast', wait: 2001 }), 'Too fast. Wait 3 seconds.')
  assert.equal(explain({ code: 'of a later version', message: 'Because.' }), 'Because.')
  assert.equal(explain({ code: 'of a later version' }), 'An unknown error occurred')
})

test('durations have a digit after the point while they are short', () => {
  for (const [ms, want] of [[0.01, '< 0.1'], [0.1, '0.1'], [9.94, '9.9'], [9.95, '10'],
    [1234.5, '1,235']]) {
    assert.equal(milliseconds(ms), want + ' ms')
  }
})

test('days near today have names', () => {
  assert.equal(dayName(new Date(2030, 4, 17, 0, 0).getTime()), 'Today')
  assert.equal(dayName(new Date(2030, 4, 16, 23, 59).getTime()), 'Yesterday')
  assert.match(dayName(new Date(2030, 4, 15).getTime()), /^Wednesday,? 15 May 2030$/)
})

const folder = new URL('../page/js/languages/', import.meta.url)
const languages = new Map()
for (const file of readdirSync(folder))
  languages.set(file, (await import(new URL(file, folder))).default)

test('every language has the same texts, with the same values', () => {
  assert.ok(languages.size >= 3)
  const values = (text) => {
    const all = typeof text === 'object' ? text.other : text
    return [...all.matchAll(/\{\w+\}/g)].map(([value]) => value).sort()
  }
  for (const [file, texts] of languages) {
    assert.deepEqual(Object.keys(texts), Object.keys(en), file)
    for (const key of Object.keys(en))
      assert.deepEqual(values(texts[key]), values(en[key]), `${file}: ${key}`)
  }
})

test('every code of the vocabulary has a sentence in every language', () => {
  const vocabulary = readFileSync(new URL('../../internal/chat/VOCABULARY.md', import.meta.url),
    'utf8')
  const [, paragraph] = /^Refusal codes:(.*?)\n\n/ms.exec(vocabulary)
  const named = [...paragraph.matchAll(/`([a-z_]+)`/g)].map(([, code]) => code)
  const codes = named.filter((code) => code !== 'session') // which is the event
  assert.ok(codes.length >= 17)
  for (const code of codes) for (const texts of languages.values())
    assert.ok(texts['refusal.' + code], code)
})

test('another language can be chosen, and is kept', async () => {
  await setLanguage('ko')
  assert.equal(t('people', { n: 3 }), '3명 접속 중')
  assert.equal(explain({ code: 'of a later version', message: 'Because.' }), '알 수 없는 오류가 발생했습니다')
  assert.equal(dayName(Date.now()), '오늘')
  assert.equal(localStorage.getItem('chatapp.language'), '"ko"')
})
