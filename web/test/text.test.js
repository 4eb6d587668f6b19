import './environment.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstGrapheme, graphemes, hue, isEmoji, parse } from '../page/js/text.js'

const text = (s) => ({ kind: 'text', text: s })
const link = (s) => ({ kind: 'link', text: s })
const code = (s) => ({ kind: 'code', text: s })
const bold = (s) => ({ kind: 'bold', text: s })
const codeBlock = (s) => ({ kind: 'codeBlock', text: s })

for (const [input, want] of [
  ['', []],
  ['plain', [text('plain')]],
  ['see https://example.org/a_(b)?c=d#e.',
    [text('see '), link('https://example.org/a_(b)?c=d#e'), text('.')]],
  ['(https://example.org/x)', [text('('), link('https://example.org/x'), text(')')]],
  ['[https://example.org/x], and', [text('['), link('https://example.org/x'), text('], and')]],
  ['https://example.org/x!?…', [link('https://example.org/x'), text('!?…')]],
  ['https://a.example https://b.example',
    [link('https://a.example'), text(' '), link('https://b.example')]],
  ['http://', [text('http://')]],
  ['javascript:alert(1)', [text('javascript:alert(1)')]],
  ['https://example.org/"onclick="x', [link('https://example.org/'), text('"onclick="x')]],
  ['https://example.org/<b>', [link('https://example.org/'), text('<b>')]],
  ['**bold** and `code **not bold**`', [bold('bold'), text(' and '), code('code **not bold**')]],
  ['```\na < b\n```', [codeBlock('a < b')]],
  ['```go\n\n`b` ``` c\n```\nd', [{ ...codeBlock('\n`b` ``` c'), label: 'go' }, text('d')]],
  ['a\n~~~~\n~~~\n~~~~~', [text('a'), codeBlock('~~~')]],
  ['  ```\n  a\n   b\nc\n  ```', [codeBlock('a\n b\nc')]],
  ['```\n  a\n  ```', [codeBlock('  a')]],
  ['**see https://example.org/ now**', [{
    ...bold('see https://example.org/ now'),
    parts: [text('see '), link('https://example.org/'), text(' now')],
  }]],
  ['```\nnever closed', [codeBlock('never closed')]],
  ['    ```\nindented', [text('    ```\nindented')]],
  ['``a ` b`` and ```c```', [code('a ` b'), text(' and '), code('c')]],
  ['`` `a` ``', [code('`a`')]],
  ['in #garden.', [text('in '), { kind: 'room', text: '#garden', room: 'garden' }, text('.')]],
  ['2 ** 3 ** 4, a*b*c, `open', [text('2 '), bold(' 3 '), text(' 4, a*b*c, `open')]],
  ['`two\nlines`', [text('`two\nlines`')]],
  ['**two\nlines**', [text('**two\nlines**')]],
]) {
  test(`parse ${JSON.stringify(input)}`, () => assert.deepEqual(parse(input), want))
}

test('parsing a text changes nothing but its marks', () => {
  const texts = ['<script>x</script>', '&lt;img&gt;', '{was}{nick}', '\u202Egnp.exe', '__proto__',
    '[x](javascript:y)']
  for (const hostile of texts) {
    assert.deepEqual(parse(hostile), [text(hostile)])
  }
})

test('parsing takes time linear in the text', () => {
  for (const unit of ['```', '`', '**', '**a', 'https://', '(', 'https://a.example/)',
    '[https://a.example/']) {
    const long = unit.repeat(20000)
    const started = process.cpuUsage()
    parse(long)
    const { user } = process.cpuUsage(started)
    assert.ok(user < 2e6, `${unit} repeated takes ${user} µs`)
  }
})

test('graphemes are what a reader counts as characters', () => {
  for (const [s, n] of [['', 0], ['abc', 3], ['각', 1], ['👩‍👩‍👧‍👦', 1], ['e\u0301', 1],
    ['🇰🇷🇬🇧', 2], ['\r\n', 1]]) {
    assert.equal(graphemes(s), n, JSON.stringify(s))
  }
  assert.equal(firstGrapheme('👩‍👩‍👧x'), '👩‍👩‍👧')
  assert.equal(firstGrapheme(''), '')
})

test('up to six emoji and nothing else are emoji', () => {
  for (const s of ['👍', '👍🏽 👩‍👩‍👧', '🇰🇷', '👍'.repeat(6)]) assert.ok(isEmoji(s), s)
  for (const s of ['', '1', '#', 'a👍', '👍a', '👍'.repeat(7), '👍' + ' '.repeat(90)])
    assert.ok(!isEmoji(s), s)
})

test('a name has the same one of 24 hues every time', () => {
  const hues = new Set()
  for (let i = 0; i < 500; i++) hues.add(hue('name ' + i))
  assert.equal(hues.size, 24)
  for (const h of hues) assert.ok(h % 15 === 0 && h >= 0 && h < 360)
  assert.equal(hue('Ann'), hue('Ann'))
  assert.notEqual(hue('Ann'), hue('Ben'))
})
