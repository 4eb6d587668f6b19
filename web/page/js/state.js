// The state of the page: one object. events.js changes it by what the server sends, actions.js by
// what the user does, and outbox.js by both. The views draw it. Every change is followed by
// changed(topic).

import './ended.js' // which clears the tab before anything reads it
import { now } from './clock.js'
import { tab, browser } from './storage.js'
import { isBoolean, isString } from './shapes.js'

/** @import { Room } from './rooms.js' */
/** @import { OutboxEntry } from './outbox.js' */
/** @import { Elsewhere } from './tabs.js' */
/** @import { Trouble } from './trouble.js' */
/** @import { Timing } from './timings.js' */

/**
 * Why the server did not do what it was asked for. wait is in ms: when the same request may
 * succeed.
 * @typedef {{ code: string, message?: string, wait?: number }} Refusal
 */

/**
 * The connection to the server. A closed one stays closed until the user asks for it; a replaced
 * one was ended because another tab goes on with the same user. quiet: no attempt to come back has
 * failed, so that the loss may be a move to another instance.
 * @typedef {object} Link
 * @property {'connecting' | 'online' | 'waiting' | 'closed' | 'replaced'} phase
 * @property {number} retryAt when a waiting connection tries again, as now() counts
 * @property {number} downSince
 * @property {boolean} quiet
 * @property {boolean} wasOnline whether the connection was ever made since the page was loaded
 * @property {boolean} [replaced]
 * @property {Trouble} trouble why no connection comes about
 */

/**
 * @typedef {{ name: string, self?: boolean, heard?: number, users?: number }} Instance heard is in
 *   ms ago
 */
/**
 * @typedef {object} ClusterStatus the server's `status`
 * @property {string} [instance] the one that serves this page
 * @property {boolean} [cutOff] whether it has lost contact with the others
 * @property {string} [unsaved] why messages are not saved at present
 * @property {number} [latency] through the log, in ms
 * @property {Instance[]} [instances]
 */

/**
 * @typedef {object} NicknameDialog
 * @property {boolean} open
 * @property {boolean} renaming
 * @property {boolean} busy
 * @property {Refusal | null} refusal
 */

export const lobby = 'lobby'

export const state = {
  /** @type {Link} */
  link: {
    phase: 'connecting', retryAt: 0, downSince: now(), quiet: true, wasOnline: false, trouble: '',
  },
  instance: '', // that serves this page
  limits: { message: 4000, nickname: 32 }, // in grapheme clusters; 0: none
  me: {
    name: '', // as the server knows the user; empty while it does not
    requestedName: tab.read('requested-name', '', isString),
    /** @type {string | undefined} */
    token: tab.read('token', undefined, isString), // resumes the user after a reload
  },
  /** @type {NicknameDialog} */
  nicknameDialog: {
    open: !tab.read('requested-name', '', isString), renaming: false, busy: false, refusal: null,
  },
  signedIn: false, // by a proxy, which decides the name
  /** @type {Elsewhere | null} */
  elsewhere: null, // who chats in another tab of this browser
  room: lobby, // the one on the screen
  /** @type {{ room: string, id: string } | null} */
  wantedLine: null, // that the address names, until it is shown
  /** @type {Set<string>} */
  leftRooms: new Set(), // to which Back does not return
  /** @type {Map<string, Room>} */
  rooms: new Map(), // by name: those the user is in or wants to be in
  /** @type {{ name: string, users: number }[]} */
  directory: [], // every room on the server
  /** @type {OutboxEntry[]} */
  outbox: [], // own messages that are not yet in the log, in order
  offset: '', // id of the last log entry received
  /** @type {ClusterStatus | null} */
  cluster: null,
  /** @type {Timing[]} */
  timings: [], // of the last messages
  settings: {
    language: browser.read('language', '', isString),
    theme: browser.read('theme', 'auto', isString),
    notify: browser.read('notify', false, isBoolean),
    // whether screen readers are given new messages
    spoken: browser.read('spoken', true, isBoolean),
    // whether notices of coming and going are shown
    coming: browser.read('coming', true, isBoolean),
  },
}

/**
 * @typedef {'link' | 'nickname' | 'me' | 'room' | 'rooms' | 'lines' | 'people' | 'typing' |
 *   'outbox' | 'cluster' | 'timings' | 'settings'} Topic
 */

/** @type {{ topics: Topic[], draw: () => void }[]} */
const watchers = []
/** @type {Set<Topic>} */
const dirty = new Set()
let scheduled = false

const arrivalsEvery = 50 // ms between two draws of arrivals
const someArrivalsEvery = 150 // ms, after a draw of more than a few
const manyArrivalsEvery = 300 // ms, after a draw of more than anybody reads as they come
const fewArrivals = 2
const someArrivals = 6
let arrivals = 0 // since the last draw
let arrivalsPause = 0 // ms after the last draw of arrivals
let arriving = false // while apply of arrive runs
let arrivalsWait = false // whether some of dirty has not been drawn because of arrivalsEvery
let arrivalsDrawnAt = -Infinity // as now() counts

/**
 * Calls draw before the next frame whenever one of the topics has changed, and once at the
 * beginning.
 *
 * @param {Topic[]} topics
 * @param {() => void} draw
 */
export function watch(topics, draw) {
  watchers.push({ topics, draw })
  changed(...topics)
}

/**
 * Applies what the server has sent. In a busy room views draw arrivals together, because a drawing
 * costs a page more than a message does: those within 50 ms, and where more come than one can
 * follow, within 150 or 300. The first one after a quiet time is drawn at once, and so are all that
 * wait when anything else changes.
 *
 * @param {() => void} apply
 */
export function arrive(apply) {
  arriving = true
  arrivals++
  try {
    apply()
  } finally {
    arriving = false
  }
}

/**
 * Marks topics as changed. Views are drawn once per frame however many changes it brings.
 *
 * @param {Topic[]} topics
 */
export function changed(...topics) {
  for (const topic of topics) dirty.add(topic)
  if (scheduled) return
  if (!arriving) schedule()
  else if (!arrivalsWait) {
    arrivalsWait = true
    const pause = arrivalsDrawnAt + arrivalsPause - now()
    if (pause > 0) setTimeout(() => { if (arrivalsWait) schedule() }, pause)
    else schedule()
  }
}

/**
 * Has views drawn before the next frame. A hidden tab has no frames, so there, and where frames are
 * late, a timer draws.
 */
function schedule() {
  if (scheduled) return
  scheduled = true
  let frame = 0
  const flush = () => {
    if (hasFrames) cancelAnimationFrame(frame)
    clearTimeout(late)
    scheduled = false
    if (arrivalsWait) {
      arrivalsDrawnAt = now()
      arrivalsPause = pauseAfter(arrivals)
    }
    arrivals = 0
    arrivalsWait = false
    drawViews()
  }
  const hasFrames = globalThis.document !== undefined && !document.hidden
  if (hasFrames) frame = requestAnimationFrame(flush)
  const late = setTimeout(flush, hasFrames ? 60 : 0)
}

/**
 * @param {number} together arrivals in one draw
 * @returns {number} ms to wait after it
 */
function pauseAfter(together) {
  if (together <= fewArrivals) return arrivalsEvery
  return together <= someArrivals ? someArrivalsEvery : manyArrivalsEvery
}

function drawViews() {
  const drawn = new Set(dirty)
  dirty.clear()
  for (const { topics: wanted, draw } of watchers) {
    if (!wanted.some((topic) => drawn.has(topic))) continue
    try {
      draw()
    } catch (error) { // the other views are drawn all the same
      reportError(error)
    }
  }
}
