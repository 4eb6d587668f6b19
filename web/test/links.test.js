import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findLinks } from '../page/js/links.js'

/** Returns the links in a text, as text. */
const linksIn = (text) => findLinks(text).map(({ start, end }) => text.slice(start, end))

const addresses = [
  'https://example.org', 'http://example.org/', 'HTTPS://EXAMPLE.ORG/A',
  'https://example.org:8443/x',
  'https://example.org/a_(b)', 'https://example.org/a_(b)_(c)?d=[e]',
  'https://example.org/?q={x}&y=1#z',
  "https://example.org/O'Reilly", 'https://example.org/L’Oréal/x',
  'https://example.org/a;b,c=d~e!f*g/',
  'https://192.0.2.7:80/x', 'https://[2001:db8::1]/x', 'http://localhost:8080/',
  'https://a-b.c_d.example.org/x',
  'https://ko.wikipedia.org/wiki/대한민국_(국가)', 'https://ru.wikipedia.org/wiki/Москва',
  'https://münchen.example/straße',
  'https://пример.рф/путь', 'https://예시.한국', 'https://www.lg전자.kr/',
  'https://xn--9n2bp8q.xn--3e0b707e/x',
  'https://example.org/%EC%98%88?a=%20b', 'https://ar.wikipedia.org/wiki/مصر',
  'https://hi.wikipedia.org/wiki/भारत',
  'https://ja.wikipedia.org/wiki/日本', 'https://example.org/@user/1',
  'https://example.org/#/a?b', 'https://el.example/Ελλάδα',
]

const around = [
  ['', ''], ['see ', ' now'], ['(', ')'], ['[', '], and'], ['{', '}'], ['"', '"'], ['“', '”'],
  ['‘', '’'],
  ["'", "'"], ['<', '>'],
  ['', '.'], ['', ', and'], ['', '?!'], ['', '...'], ['', '…'], ['**', '**'], ['a (b ', ') c'],
  ['x\n', '\ny'],
  ['「', '」'], ['（', '）'], ['주소：', '。'], ['看', '，好'], ['【', '】'], ['смотри ', ', да'],
  ['انظر ', '\u061C'], ['देखो ', ' अब'],
]

test('an address ends where the sentence around it goes on', () => {
  let cases = 0
  for (const address of addresses) {
    for (const [before, after] of around) {
      assert.deepEqual(linksIn(before + address + after), [address], before + address + after)
      cases++
    }
  }
  assert.ok(cases >= 500, `${cases} cases`)
})

test('a word that follows without a space does not become part of the host or path', () => {
  const words = ['에서', '은', '는', '이', '가', '을', '를', '의', '에', '로', '와', '입니다', '에서는', 'を', 'に',
    'は', 'です']
  for (const word of words) {
    for (const address of ['https://example.org',
    'https://www.example.co.kr', 'https://example.org:80', 'https://localhost',
      'https://example.org/a', 'https://example.org/', 'https://example.org/a?b=1']) {
      for (const after of ['', ' 확인', '.']) {
        assert.deepEqual(linksIn(address + word + after), [address], address + word + after)
      }
    }
  }
  for (const [text, want] of [
    ['https://example.org을참고하세요', 'https://example.org'], ['https://예시.한국에서', 'https://예시.한국'],
    ['https://example.org看看', 'https://example.org'],
    ['https://example.orgで見る', 'https://example.org'],
    ['https://example.org/aを参照してください', 'https://example.org/a'],
    ['https://example.org에서.그리고', 'https://example.org'],
    ['https://ko.wikipedia.org/wiki/대한민국_(국가)에서', 'https://ko.wikipedia.org/wiki/대한민국_(국가)'],
    ['https://example.org/a_(b)은', 'https://example.org/a_(b)'],
    ['https://example.org/a_[b]を見る', 'https://example.org/a_[b]'],
    ['https://example.orgครับ', 'https://example.org'],
    ['https://www.example.comແລ້ວ', 'https://www.example.com'],
    ['https://example.orgи', 'https://example.org'],
    ['https://пример.рф/', 'https://пример.рф/'],
    ['https://a.vermögensberater/x', 'https://a.vermögensberater/x'],
    ['https://пример.com/я', 'https://пример.com/я'],
    ['https://ko.wikipedia.org/wiki/C언어', 'https://ko.wikipedia.org/wiki/C언어'],
  ]) assert.deepEqual(linksIn(text), [want], text)
})

test('brackets inside an address stay, those around it do not', () => {
  for (const [text, want] of [
    ['(https://example.org/a(b)c)', 'https://example.org/a(b)c'],
    ['https://example.org/a(b c)', 'https://example.org/a'],
    ['(https://example.org/a_(b))', 'https://example.org/a_(b)'],
    ['[x](https://example.org/a)', 'https://example.org/a'],
    ['https://example.org/a)b', 'https://example.org/a'],
    ['https://example.org/a[0', 'https://example.org/a'],
    ['https://example.org/a(b]c', 'https://example.org/a'],
  ]) assert.deepEqual(linksIn(text), [want], text)
})

test('what deceives or is incomplete is no address', () => {
  for (const text of [
    'http://', 'https://.', 'https:///x', 'javascript:alert(1)',
    'xhttps://example.org', 'https://bank.com@evil.example/',
    'https://user:password@evil.example/', 'https://example.org\\@evil.example',
    'https://exa%6dple.org/', 'https://-', 'ftp://a.b/',
    'https://[::1', 'https://256.256.256.256/', 'data:text/html,x', 'https://example.org:99999/',
  ]) assert.deepEqual(linksIn(text), [], text)
  assert.deepEqual(linksIn('https://example.org/a\u202Egnp.exe'), ['https://example.org/a'])
  assert.deepEqual(linksIn('https://a.example https://b.example,https://c.example'),
    ['https://a.example', 'https://b.example', 'https://c.example'])
})

test('a room is a link by its name', () => {
  const rooms = (text) => findLinks(text).map(({ room }) => room)
  for (const [text, want] of [
    ['#garden', ['garden']], ['in #garden, #café and (#a-b)', ['garden', 'café', 'a-b']],
    ['#정원', ['정원']],
    ['#garden에서 만나', ['garden']], ['#1', []], ['a#b', []], ['##', []], ['C# is', []],
    ['&#x27;', []],
    ['https://example.org/#garden', [undefined]], ['#garden!', ['garden']], ['# title', []],
  ]) assert.deepEqual(rooms(text), want, text)
})

test('finding links takes time linear in the text', () => {
  for (const unit of ['https://', 'https://a:', 'https://a.b/(', 'a.',
    '#a', 'https://a:b', 'https://a', '(', 'https://a에', "https://a/'"]) {
    const started = process.cpuUsage()
    findLinks(unit.repeat(20000))
    const { user } = process.cpuUsage(started)
    assert.ok(user < 2e6, `${unit} repeated takes ${user} µs`)
  }
})
