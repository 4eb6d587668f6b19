// Applies the chosen colour theme before the first paint, and has the browser fetch the texts of
// the reader's language while the modules arrive. It is a script and not a module, so that it runs
// at once. It imports nothing: the keys are those that storage.js writes.
(() => {
  const query = new URLSearchParams(location.search)
  /** @param {string} key */
  const stored = (key) => {
    try {
      return JSON.parse(localStorage.getItem('chatapp.' + key) ?? 'null') || undefined
    } catch {
      return undefined // without storage the page follows the system
    }
  }
  document.documentElement.dataset.theme = query.get('theme') || stored('theme') || 'auto'
  const script = document.currentScript
  const wanted = String(query.get('language') || stored('language') || navigator.language)
    .slice(0, 2).toLowerCase()
  const has = script instanceof HTMLScriptElement &&
    script.dataset.languages?.split(' ').includes(wanted)
  if (wanted === 'en' || !has) return // English is in the page
  const preload = document.createElement('link')
  preload.rel = 'modulepreload'
  preload.href = new URL(`languages/${wanted}.js`, script.src).href
  document.head.append(preload)
})()
