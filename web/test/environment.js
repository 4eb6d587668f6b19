// What the page's modules find in a browser, for tests in Node. Import it before any of them: they
// read the storage when they are loaded.

/** A Storage in memory. */
function memoryStorage() {
  const items = new Map()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => { items.set(key, String(value)) },
    removeItem: (key) => { items.delete(key) },
    key: (i) => [...items.keys()][i] ?? null,
    get length() { return items.size },
  }
}

globalThis.sessionStorage = memoryStorage()
globalThis.localStorage = memoryStorage()
Object.defineProperty(globalThis, 'navigator',
  { configurable: true, value: { languages: ['en-GB'], onLine: true } })

// Timers that a test controls bring their own Date, but no clock that only grows: it follows that
// Date, however Date.now() is set.
const began = 1_600_000_000_000
performance.now = () => new Date().getTime() - began

/** Accepts a stored value of every shape. */
export const any = (value) => value !== null

/** Waits until every promise that can settle by itself has settled. */
export async function settled() {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

/** A connection whose calls the test answers one by one. */
export class FakeConnection {
  calls = [] // {event, args, answer, lose}, unanswered and answered
  emitted = []

  emit = (event, ...args) => {
    this.emitted.push([event, ...args])
    return true
  }

  call = (event, ...args) => new Promise((resolve, reject) => {
    this.calls.push({
      event,
      args,
      answer: async (...answer) => {
        resolve(answer)
        await settled()
      },
      lose: async () => {
        reject(new Error('connection lost'))
        await settled()
      },
    })
  })

  retry = () => {}
  check = () => {}

  /** Returns the calls of one event. */
  of = (event) => this.calls.filter((call) => call.event === event)

  /** Returns the last call of one event. */
  last = (event) => this.of(event).at(-1)
}
