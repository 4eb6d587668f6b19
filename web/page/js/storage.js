// What the browser keeps. The tab's area holds the user's identity and unsent messages: it survives
// a reload but is not shared with other tabs, which may belong to other users. The browser's area
// holds settings that all tabs share. Storage can be switched off or full; the page then works
// without it until the next reload.
//
// What another version of the page has written is removed; a value of another shape is not read.

const prefix = 'chatapp.'
// of the keys and shapes; raised when this page could misread what an older one has written
const version = 1

/** @param {'sessionStorage' | 'localStorage'} name */
function area(name) {
  return {
    /**
     * Returns the stored value, or fallback if there is none of the shape.
     *
     * @template T
     * @param {string} key
     * @param {T | undefined} fallback
     * @param {(value: unknown) => value is T} is
     * @returns {T}
     */
    read(key, fallback, is) {
      try {
        const value = JSON.parse(globalThis[name].getItem(prefix + key) ?? 'null')
        return is(value) ? value : /** @type {T} */ (fallback)
      } catch {
        return /** @type {T} */ (fallback)
      }
    },
    /**
     * Stores a value; undefined removes it.
     *
     * @param {string} key
     * @param {unknown} value
     */
    write(key, value) {
      try {
        if (value === undefined) globalThis[name].removeItem(prefix + key)
        else globalThis[name].setItem(prefix + key, JSON.stringify(value))
      } catch {
        // The page works without storage.
      }
    },
    /** Removes every value of the page from the area. */
    clear() {
      try {
        const storage = globalThis[name]
        const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? '')
        for (const key of keys) if (key.startsWith(prefix)) storage.removeItem(key)
      } catch {
        // There is none.
      }
    },
  }
}

export const tab = area('sessionStorage')
export const browser = area('localStorage')

/**
 * @param {unknown} value
 * @returns {value is unknown}
 */
const isStored = (value) => value !== null

for (const kept of [tab, browser]) {
  if (kept.read('version', /** @type {unknown} */ (version), isStored) !== version) kept.clear()
  kept.write('version', version)
}
