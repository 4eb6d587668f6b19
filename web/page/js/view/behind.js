// Behind the scenes: the way the last messages took, in milliseconds, and the instances that make up the server.

import { h, svg, keyed, setText } from '../dom.js'
import { state, watch } from '../state.js'
import { browser } from '../storage.js'
import { t, milliseconds } from '../i18n.js'
import { hue } from '../text.js'
import { rate } from '../hops.js'

const chartWidth = 300
const barHeight = 12
const rateHeight = 44
const askEvery = 3000 // ms between two looks at the cluster while the panel is open
const outlier = 6 // times the median: what is longer is drawn as that
const shortest = 9 // characters of an instance's name that fit below a station

// short is the end of a name, where the names of instances differ.
const short = (name) => (name.length > shortest ? '…' + name.slice(2 - shortest) : name)

export function createBehind({ panel, button, actions }) {
  const parts = build()
  let timer = 0
  let asked = 0 // when the cluster was asked for last

  function build() {
    const close = h('button', { type: 'button', class: 'icon' }, svg('svg', { viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('path', { d: 'M5 5l10 10M15 5L5 15' })))
    const made = {
      close,
      title: h('h2', { class: 'behind-title' }), intro: h('p', { class: 'intro' }),
      wayTitle: h('h3'), way: h('div', { class: 'way' }), wayText: h('p', { class: 'way-text' }),
      barsTitle: h('h3'), bars: h('div', { class: 'bars' }), legend: h('p', { class: 'legend' }),
      clusterTitle: h('h3'), cluster: h('ul', { class: 'cluster' }),
      rateTitle: h('h3'), rate: h('div', { class: 'rate' }),
    }
    panel.append(
      h('header', { class: 'behind-head' }, made.title, close),
      h('div', { class: 'behind-body', tabindex: '0' }, made.intro, made.wayTitle, made.way, made.wayText, made.barsTitle, made.bars, made.legend,
        made.clusterTitle, made.cluster, made.rateTitle, made.rate))
    return made
  }

  const isOpen = () => !panel.hidden

  function draw() {
    clearTimeout(timer)
    if (!isOpen()) return
    const instances = state.cluster?.instances ?? []
    const instance = state.session.instance || t('instanceNone')
    setText(parts.title, t('behind'))
    parts.close.setAttribute('aria-label', t('close'))
    panel.querySelector('.behind-body').setAttribute('aria-label', t('behind'))
    setText(parts.intro, t(instances.length > 1 ? 'behindIntro' : 'behindAlone', { instance }))
    setText(parts.wayTitle, t('lastMessage'))
    setText(parts.barsTitle, t('lastMessages'))
    setText(parts.clusterTitle, `${t('cluster')}: ${t('instances', { n: Math.max(1, instances.length) })}`)
    setText(parts.rateTitle, t('rateTitle'))
    drawWay(state.hops.at(-1))
    drawBars()
    drawCluster(instances.length > 0 ? instances : [{ name: instance, self: true }])
    parts.rate.replaceChildren(rateChart(rate(), t('rateTitle')))
    timer = setTimeout(draw, 1000) // the rate moves on by itself
    if (Date.now() - asked > askEvery) {
      asked = Date.now()
      actions.refreshStatus()
    }
  }

  // drawWay shows the stations of a message and the time between them.
  function drawWay(way) {
    if (!way) {
      parts.way.replaceChildren()
      setText(parts.wayText, t('wayNone'))
      return
    }
    const half = way.own ? milliseconds(way.wire / 2) : ''
    const stations = [
      { name: t(way.own ? 'hopClient' : 'hopOther') },
      { name: way.from, hop: half, kind: 'instance' },
      { name: t('hopLog'), hop: way.own ? milliseconds(way.log) : way.total === undefined ? '' : '≈ ' + milliseconds(way.total), kind: 'log' },
      { name: way.to, hop: '', kind: 'instance' },
      { name: t('hopClient'), hop: half },
    ]
    parts.way.replaceChildren(...stations.map(({ name, hop, kind }) =>
      h('span', { class: 'station ' + (kind ?? 'client') }, hop !== undefined && h('span', { class: 'hop' }, hop), h('bdi', { class: 'station-name', title: name }, short(name)))))
    setText(parts.wayText, wayText(way))
  }

  function wayText(way) {
    if (way.own) return t('wayOwn', { wire: milliseconds(way.wire), log: milliseconds(way.log), total: milliseconds(way.total) })
    if (way.total === undefined) return t('wayUnknown', { from: way.from })
    return t('wayTheirs', { from: way.from, total: milliseconds(way.total) })
  }

  // drawBars draws a bar for each of the last messages, to one scale. One that took very much longer than most would leave
  // the others no room: it is drawn shorter, and its number tells.
  function drawBars() {
    const ways = state.hops.filter((way) => way.total !== undefined)
    parts.legend.hidden = ways.length === 0
    parts.bars.hidden = ways.length === 0
    parts.barsTitle.hidden = ways.length === 0
    if (ways.length === 0) return
    const totals = ways.map((way) => way.total).sort((a, b) => a - b)
    const longest = Math.max(1, Math.min(totals.at(-1), totals[totals.length >> 1] * outlier))
    const rows = ways.toReversed().map((way, i) => {
      const y = i * (barHeight + 6)
      const pieces = way.own
        ? [['wire', way.wire / 2], ['log', way.log], ['wire', way.wire / 2]]
        : [['theirs', way.total]]
      const scale = (chartWidth - 64) / Math.max(longest, way.total)
      let x = 0
      return svg('g', null,
        ...pieces.map(([kind, ms]) => {
          const piece = svg('rect', { class: kind, x: x.toFixed(1), y, width: Math.max(1, ms * scale).toFixed(1), height: barHeight })
          x += ms * scale
          return piece
        }),
        svg('text', { x: (x + 6).toFixed(1), y: y + barHeight - 2 }, milliseconds(way.total)))
    })
    const height = ways.length * (barHeight + 6)
    parts.bars.replaceChildren(svg('svg', { viewBox: `0 0 ${chartWidth} ${height}`, role: 'img', 'aria-label': ways.toReversed().map(wayText).join(' ') }, ...rows))
    const legend = [['wire', t('legendWire')], ['log', t('legendLog')], ['theirs', t('legendTheirs')]]
    parts.legend.replaceChildren(...legend.map(([kind, name]) => h('span', null, h('i', { class: 'swatch ' + kind }), name)))
  }

  function drawCluster(instances) {
    keyed(parts.cluster, instances, ({ name }) => name, ({ name }) => h('li', { '--hue': hue(name) },
      h('span', { class: 'instance-dot', 'aria-hidden': 'true' }), h('bdi', { class: 'name', title: name }, name), h('span', { class: 'aside' }), h('span', { class: 'spark' })),
    (element, { name, self, users, heard }) => {
      const facts = [self && t('thisOne'), users !== undefined && t('users', { n: users }), !self && heard > 3000 && t('heardAgo', { n: Math.round(heard / 1000) })]
      setText(element.children[2], facts.filter(Boolean).join(' · '))
      element.classList.toggle('self', Boolean(self))
      element.children[3].replaceChildren(rateChart(rate(name), `${t('rateTitle')}: ${name}`, 18))
    })
  }

  // rateChart draws messages a second as columns.
  function rateChart(counts, label, height = rateHeight) {
    const most = Math.max(...counts)
    const step = chartWidth / counts.length
    const scale = (height - 2) / Math.max(most, 4)
    const columns = counts.map((n, i) => n > 0 && svg('rect', { x: (i * step).toFixed(1), y: (height - 1 - n * scale).toFixed(1), width: (step - 1).toFixed(1), height: (n * scale).toFixed(1) }))
    return svg('svg', { class: 'columns', viewBox: `0 0 ${chartWidth} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${label}, ${t('ratePeak', { n: most })}` },
      svg('path', { class: 'ground', d: `M0 ${height - 0.5}H${chartWidth}` }), ...columns)
  }

  function toggle(wanted) {
    if (wanted === isOpen()) return
    panel.hidden = !wanted
    button.setAttribute('aria-expanded', String(wanted))
    browser.write('behind', wanted)
    draw()
    if (wanted) parts.close.focus()
    else button.focus()
  }

  button.addEventListener('click', () => toggle(!isOpen()))
  parts.close.addEventListener('click', () => toggle(false))
  if (browser.read('behind', false) && matchMedia('(min-width: 75em)').matches) {
    panel.hidden = false
    button.setAttribute('aria-expanded', 'true')
  }
  watch(['hops', 'cluster', 'settings', 'link'], draw)

  return { isOpen, toggle }
}
