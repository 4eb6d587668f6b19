// The panel "Behind the scenes": the path and the timing of the last messages, and the instances of
// the cluster.

import { h, svg, keyed, setText, find, elements } from '../dom.js'
import { now } from '../clock.js'
import { state, watch } from '../state.js'
import { browser } from '../storage.js'
import { isBoolean } from '../shapes.js'
import { isShown } from '../settings.js'
import { t, milliseconds } from '../i18n.js'
import { hue } from '../text.js'
import { rate } from '../timings.js'

/** @import { Actions } from '../actions.js' */
/** @import { Instance } from '../state.js' */
/** @import { Timing } from '../timings.js' */

const chartWidth = 300
const chartMargin = 64 // for the number behind a bar
const barHeight = 12
const barDistance = 18
const rateHeight = 44
const instanceRateHeight = 18
const drawEvery = 1000 // ms: the rate moves on by itself
// ms between two requests for the cluster's status while the panel is open
const refreshEvery = 3000
const heardRecently = 3000 // ms within which an instance's last sign of life is not mentioned
const outlierFactor = 6 // times the median: a longer bar is drawn at this length
const longestName = 9 // characters of an instance's name that fit below a station

/**
 * Returns the end of a long name: the names of instances differ there.
 *
 * @param {string} name
 */
const shortName = (name) => (name.length > longestName ? '…' + name.slice(2 - longestName) : name)

/**
 * @param {object} options
 * @param {HTMLElement} options.panel
 * @param {HTMLElement} options.button
 * @param {Pick<Actions, 'refreshStatus'>} options.actions
 */
export function createDiagnostics({ panel, button, actions }) {
  const parts = buildParts()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  let refreshedAt = -Infinity

  function buildParts() {
    const cross = svg('svg', { viewBox: '0 0 20 20', 'aria-hidden': 'true' },
      svg('path', { d: 'M5 5l10 10M15 5L5 15' }))
    const made = {
      close: h('button', { type: 'button', class: 'icon' }, cross),
      title: h('h2', { class: 'behind-title' }), intro: h('p', { class: 'intro' }),
      pathTitle: h('h3', null), path: h('div', { class: 'way' }),
      pathText: h('p', { class: 'way-text' }),
      barsTitle: h('h3', null), bars: h('div', { class: 'bars' }),
      legend: h('p', { class: 'legend' }),
      clusterTitle: h('h3', null), cluster: h('ul', { class: 'cluster' }),
      rateTitle: h('h3', null), rate: h('div', { class: 'rate' }),
    }
    const { close, title, ...rest } = made
    panel.append(
      h('header', { class: 'behind-head' }, title, close),
      h('div', { class: 'behind-body', tabindex: '0' }, ...Object.values(rest)))
    return made
  }

  const isOpen = () => !panel.hidden

  function draw() {
    clearTimeout(timer)
    if (!isOpen()) return
    const instances = state.cluster?.instances ?? []
    const instance = state.instance || t('instanceNone')
    setText(parts.title, t('diagnostics'))
    parts.close.setAttribute('aria-label', t('close'))
    find(panel, '.behind-body').setAttribute('aria-label', t('diagnostics'))
    const intro = instances.length > 1 ? 'diagnosticsIntro' : 'diagnosticsAlone'
    setText(parts.intro, t(intro, { instance }))
    setText(parts.pathTitle, t('lastMessage'))
    setText(parts.barsTitle, t('lastMessages'))
    setText(parts.clusterTitle,
      `${t('cluster')}: ${t('instances', { n: Math.max(1, instances.length) })}`)
    setText(parts.rateTitle, t('rateTitle'))
    drawPath(state.timings.at(-1))
    drawBars()
    drawCluster(instances.length > 0 ? instances : [{ name: instance, self: true }])
    parts.rate.replaceChildren(rateChart(rate(), t('rateTitle'), rateHeight))
    timer = setTimeout(draw, drawEvery)
    if (now() - refreshedAt > refreshEvery) {
      refreshedAt = now()
      actions.refreshStatus()
    }
  }

  /**
   * Draws the stations that a message passed and the time between them.
   *
   * @param {Timing | undefined} timing
   */
  function drawPath(timing) {
    if (!timing) {
      parts.path.replaceChildren()
      setText(parts.pathText, t('pathNone'))
      return
    }
    const half = timing.own ? milliseconds(timing.wire / 2) : ''
    const other = timing.total === undefined ? '' : '≈ ' + milliseconds(timing.total)
    /** @type {{ name: string, hop?: string, kind: string }[]} */
    const stations = [
      { name: t(timing.own ? 'hopClient' : 'hopOther'), kind: 'client' },
      { name: timing.from, hop: half, kind: 'instance' },
      { name: t('hopLog'), hop: timing.own ? milliseconds(timing.log) : other, kind: 'log' },
      { name: timing.to, hop: '', kind: 'instance' },
      { name: t('hopClient'), hop: half, kind: 'client' },
    ]
    parts.path.replaceChildren(
      ...stations.map(({ name, hop, kind }) => h('span', { class: 'station ' + kind },
      hop !== undefined && h('span', { class: 'hop' }, hop),
      h('bdi', { class: 'station-name', title: name }, shortName(name)))))
    setText(parts.pathText, timingText(timing))
  }

  /** @param {Timing} timing */
  function timingText(timing) {
    const { from, total } = timing
    if (total === undefined) return t('pathUnknown', { from })
    if (!timing.own) return t('pathOther', { from, total: milliseconds(total) })
    return t('pathOwn', {
      wire: milliseconds(timing.wire), log: milliseconds(timing.log), total: milliseconds(total),
    })
  }

  /**
   * Draws a bar for each of the last messages, to one scale. An outlier would leave the others no
   * room: its bar is shorter, and its number tells.
   */
  function drawBars() {
    const timings = state.timings.filter((timing) => timing.total !== undefined)
    for (const part of [parts.barsTitle, parts.bars, parts.legend])
      part.hidden = timings.length === 0
    if (timings.length === 0) return
    const totals = timings.map(({ total = 0 }) => total).sort((a, b) => a - b)
    const longest = Math.max(1,
      Math.min(totals[totals.length - 1], totals[totals.length >> 1] * outlierFactor))
    const newestFirst = timings.toReversed()
    parts.bars.replaceChildren(svg('svg', {
      viewBox: `0 0 ${chartWidth} ${timings.length * barDistance}`, role: 'img',
      'aria-label': newestFirst.map(timingText).join(' '),
    }, ...newestFirst.map((timing, i) => bar(timing, i * barDistance, longest))))
    const legend = [
      ['wire', t('legendWire')], ['log', t('legendLog')], ['theirs', t('legendOther')],
    ]
    parts.legend.replaceChildren(
      ...legend.map(([kind, name]) => h('span', null, h('i', { class: 'swatch ' + kind }), name)))
  }

  /**
   * @param {Timing} timing
   * @param {number} y
   * @param {number} longest ms that fill the chart's width
   */
  function bar(timing, y, longest) {
    const { total = 0, wire, log } = timing
    /** @type {[string, number][]} */
    const pieces = timing.own ? [['wire', wire / 2], ['log', log], ['wire', wire / 2]]
      : [['theirs', total]]
    const scale = (chartWidth - chartMargin) / Math.max(longest, total)
    let x = 0
    const rects = pieces.map(([kind, ms]) => {
      const width = Math.max(1, ms * scale).toFixed(1)
      const rect = svg('rect', { class: kind, x: x.toFixed(1), y, width, height: barHeight })
      x += ms * scale
      return rect
    })
    return svg('g', null, ...rects,
      svg('text', { x: (x + 6).toFixed(1), y: y + barHeight - 2 }, milliseconds(total)))
  }

  /** @param {Instance[]} instances */
  function drawCluster(instances) {
    keyed(parts.cluster, instances, ({ name }) => name, instanceElement, (element, instance) => {
      const { name, self, users, heard = 0 } = instance
      const [, , aside, spark] = elements(element.children)
      const facts = [
        self && t('thisOne'),
        users !== undefined && t('users', { n: users }),
        !self && heard > heardRecently && t('heardAgo', { n: Math.round(heard / 1000) }),
      ]
      setText(aside, facts.filter(Boolean).join(' · '))
      element.classList.toggle('self', Boolean(self))
      spark.replaceChildren(rateChart(rate(name), `${t('rateTitle')}: ${name}`, instanceRateHeight))
    })
  }

  /** @param {Instance} instance */
  function instanceElement({ name }) {
    return h('li', { '--hue': hue(name) },
      h('span', { class: 'instance-dot', 'aria-hidden': 'true' }),
      h('bdi', { class: 'name', title: name }, name),
      h('span', { class: 'aside' }), h('span', { class: 'spark' }))
  }

  /**
   * Draws messages a second as columns.
   *
   * @param {number[]} counts
   * @param {string} label
   * @param {number} height
   */
  function rateChart(counts, label, height) {
    const most = Math.max(...counts)
    const step = chartWidth / counts.length
    const scale = (height - 2) / Math.max(most, 4)
    const columns = counts.map((n, i) => n > 0 && svg('rect', {
      x: (i * step).toFixed(1), y: (height - 1 - n * scale).toFixed(1),
      width: (step - 1).toFixed(1), height: (n * scale).toFixed(1),
    }))
    return svg('svg', {
      class: 'columns', viewBox: `0 0 ${chartWidth} ${height}`, preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': `${label}, ${t('ratePeak', { n: most })}`,
    }, svg('path', { class: 'ground', d: `M0 ${height - 0.5}H${chartWidth}` }), ...columns)
  }

  /** @param {boolean} open */
  function toggle(open) {
    if (open === isOpen()) return
    const hadFocus = panel.contains(document.activeElement)
    panel.hidden = !open
    button.setAttribute('aria-expanded', String(open))
    browser.write('behind', open)
    draw()
    if (open) parts.close.focus()
    else if (hadFocus) button.focus()
  }

  button.addEventListener('click', () => toggle(!isOpen()))
  parts.close.addEventListener('click', () => toggle(false))
  if (!isShown('panel')) button.setAttribute('disabled', '')
  else if (browser.read('behind', false, isBoolean) && matchMedia('(min-width: 75em)').matches) {
    panel.hidden = false
    button.setAttribute('aria-expanded', 'true')
  }
  watch(['timings', 'cluster', 'settings', 'link'], draw)

  return { isOpen, toggle }
}
