// Says so when the page cannot start: a part did not arrive, the browser lacks a feature, or a
// script failed. It is a script of its own, no module, in syntax that every browser reads, and it
// imports nothing, so that it works where the modules do not.
(function () {
  var slowAfter = 20000 // ms
  var evaluationAfter = 5000 // ms from the load event, for modules that await others
  var texts = {
    en: {
      title: 'The chat could not start',
      load: 'A part of the page did not arrive. Check your connection and try again.',
      old: 'This browser lacks something the chat needs. Use Chrome or Edge 123, Firefox 125 or Safari 17.5, or later.',
      broken: 'Something went wrong in the page. Try again. If that does not help, start afresh: ' +
        'this forgets your name and what you have not sent.',
      slow: 'The page takes unusually long to arrive. You can wait or try again.',
      retry: 'Try again',
      afresh: 'Start afresh'
    },
    ko: {
      title: '채팅을 시작하지 못했습니다',
      load: '페이지의 일부를 받지 못했습니다. 연결을 확인하고 다시 시도해 주세요.',
      old: '이 브라우저에는 채팅에 필요한 기능이 없습니다. Chrome 또는 Edge 123, Firefox 125, Safari 17.5 이상을 사용해 주세요.',
      broken: '페이지에 문제가 생겼습니다. 다시 시도해 주세요. 그래도 안 되면 처음부터 시작하세요. 애칭과 보내지 않은 글은 지워집니다.',
      slow: '페이지를 받는 데 평소보다 오래 걸립니다. 기다리거나 다시 시도할 수 있습니다.',
      retry: '다시 시도',
      afresh: '처음부터 시작'
    }
  }
  var root = document.documentElement
  var box = /** @type {HTMLElement | null} */ (null)

  /** Returns the texts in the language that the page would have. */
  function words() {
    var wanted = navigator.languages ? navigator.languages.slice() : [navigator.language]
    try {
      wanted.unshift(JSON.parse(localStorage.getItem('chatapp.language') || '""'))
    } catch (_) { /* The browser's languages decide. */ }
    for (var i = 0; i < wanted.length; i++) {
      var tag = String(wanted[i]).slice(0, 2).toLowerCase()
      if (tag === 'ko') return { tag: tag, words: texts.ko }
      if (tag === 'en') break
    }
    return { tag: 'en', words: texts.en }
  }

  /** Reports whether the browser has the newest features that the page needs. */
  function isSupported() {
    try {
      return 'noModule' in HTMLScriptElement.prototype && 'Segmenter' in Intl && 'canParse' in URL &&
        'toReversed' in Array.prototype && new RegExp('\\p{RGI_Emoji}', 'v').test('👍') &&
        CSS.supports('color', 'light-dark(red, red)')
    } catch (_) {
      return false
    }
  }

  /**
   * @param {HTMLElement} parent
   * @param {string} tag
   * @param {string} text
   */
  function add(parent, tag, text) {
    var element = document.createElement(tag)
    element.textContent = text
    parent.appendChild(element)
    return element
  }

  function forget() {
    [localStorage, sessionStorage].forEach(function (storage) {
      Object.keys(storage).forEach(function (key) { if (key.indexOf('chatapp.') === 0) storage.removeItem(key) })
    })
  }

  /** @param {'load' | 'old' | 'broken' | 'slow'} reason */
  function show(reason) {
    if (root.dataset.ready !== undefined || box && box.dataset.reason !== 'slow') return
    if (!document.body) {
      document.addEventListener('DOMContentLoaded', function () { show(reason) })
      return
    }
    if (reason !== 'slow' && !isSupported()) reason = 'old'
    var chosen = words()
    if (box) box.remove()
    box = document.createElement('div')
    box.id = 'failure'
    box.className = 'failure'
    box.lang = chosen.tag
    box.dataset.reason = reason
    box.setAttribute('role', 'alert')
    add(box, 'h1', chosen.words.title).hidden = reason === 'slow'
    add(box, 'p', chosen.words[reason])
    if (reason !== 'old') {
      add(box, 'button', chosen.words.retry).addEventListener('click', function () { location.reload() })
    }
    if (reason === 'broken') {
      add(box, 'button', chosen.words.afresh).addEventListener('click', function () {
        try { forget() } catch (_) { /* There is no storage. */ }
        location.reload()
      })
    }
    document.body.insertBefore(box, document.body.firstChild)
  }

  addEventListener('error', function (event) {
    var target = event.target
    if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement && target.rel === 'stylesheet') {
      show('load')
    } else if (event instanceof ErrorEvent) show('broken')
  }, true)
  addEventListener('unhandledrejection', function () { show('broken') })
  addEventListener('load', function () { setTimeout(show, evaluationAfter, 'load') })
  setTimeout(show, slowAfter, 'slow')
  new MutationObserver(function () {
    if (root.dataset.ready !== undefined && box) box.remove()
  }).observe(root, { attributes: true, attributeFilter: ['data-ready'] })
})()
