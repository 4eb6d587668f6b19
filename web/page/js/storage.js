// What the browser keeps. The tab's area holds the user's identity and unsent messages: it survives
// a reload but is not shared with other tabs, which may belong to other users. The browser's area
// holds settings that all tabs share. Storage can be switched off or full; the page then works
// without it until the next reload.

const prefix = 'chatapp.'

/** @param {'sessionStorage' | 'localStorage'} name */
function area(name) {
  return {
    /**
     * Returns the stored value, or fallback if there is none that can be read.
     *
     * @template T
     * @param {string} key
     * @param {T} fallback
     * @returns {T}
     */
    read(key, fallback) {
      try {
        const text = globalThis[name].getItem(prefix + key)
        return text === null ? fallback : JSON.parse(text)
      } catch {
        return fallback
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
