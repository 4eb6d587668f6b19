// What the browser keeps. The tab's part is its identity and what has not been sent: it survives a reload but is not
// shared with other tabs, which are other people. The browser's part is what all tabs of this person like. Storage can be
// switched off or full; the page then works without it, until the next reload.

const prefix = 'chatapp.'

function area(name) {
  return {
    read(key, otherwise) {
      try {
        const text = globalThis[name].getItem(prefix + key)
        return text === null ? otherwise : JSON.parse(text)
      } catch {
        return otherwise
      }
    },
    write(key, value) {
      try {
        if (value === undefined) globalThis[name].removeItem(prefix + key)
        else globalThis[name].setItem(prefix + key, JSON.stringify(value))
      } catch {
        // Nothing to be done about it: see above.
      }
    },
  }
}

export const tab = area('sessionStorage')
export const browser = area('localStorage')
