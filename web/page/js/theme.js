// The colours that were chosen, before anything is painted. The page's one script that is no module, so that it runs at
// once and knows nothing of the others: the key is storage.js's.
(() => {
  let theme = 'auto'
  try {
    theme = JSON.parse(localStorage.getItem('chatapp.theme')) ?? theme
  } catch {
    // Without storage the system's colours are taken.
  }
  document.documentElement.dataset.theme = theme
})()
