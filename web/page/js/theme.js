// Applies the chosen colour theme before the first paint. It is a script and not a module, so that
// it runs at once. It imports nothing: the key is the one that storage.js
// writes.
(() => {
  let theme = 'auto'
  try {
    theme = JSON.parse(localStorage.getItem('chatapp.theme') ?? 'null') ?? theme
  } catch {
    // Without storage the page follows the system's theme.
  }
  document.documentElement.dataset.theme = theme
})()
