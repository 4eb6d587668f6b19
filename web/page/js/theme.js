// Applies the chosen colour theme before the first paint. This is the page's only script that is
// not a module, so that it runs at once. It imports nothing: the key is the one that storage.js
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
