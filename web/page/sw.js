// Keeps what the page needs to start, so that it opens without a network and says so. Nothing of it
// is ever stale: the document always comes from the server if that answers, and the names of all
// other files change with their content. Messages are never kept here.

const version = "{version}"
const shell = "{shell}"
const kept = 'chatapp ' + version
const top = new URL('./', location.href).href

addEventListener('install', (event) => {
  event.waitUntil(caches.open(kept).then((cache) => cache.addAll(shell)).then(() => skipWaiting()))
})

addEventListener('activate', (event) => {
  const isOld = (name) => name.startsWith('chatapp ') && name !== kept
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
    .then(() => clients.claim()))
})

addEventListener('fetch', (event) => {
  const { request } = event
  const { href } = new URL(request.url)
  if (request.method !== 'GET') return
  if (request.mode === 'navigate') {
    if (href.split(/[?#]/)[0] === top)
      event.respondWith(fetch(request).catch(() => caches.match(top)))
  } else if (href.startsWith(top + 'assets/')) {
    event.respondWith(caches.match(request).then((found) => found ?? fetch(request)))
  }
})
