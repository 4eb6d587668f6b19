// Says so when the page cannot start: a part did not arrive, the browser lacks a feature, or a
// script failed. It is a script of its own, no module, in syntax that every browser reads, and it
// imports nothing, so that it works where the modules do not.
(function () {
  var slowAfter = 20000 // ms
  var evaluationAfter = 5000 // ms from the load event, for modules that await others
  /** @type {Record<string, Record<string, string>>} by language, each with every key */
  var texts = JSON.parse('{texts}')
  var script = document.currentScript
  var root = document.documentElement
  var box = /** @type {HTMLElement | null} */ (null)

  /** Returns the tag of the language that the page would have. */
  function language() {
    var offered = (script && script.getAttribute('data-languages') || 'en').split(' ')
    var asked = /[?&]language=([a-z]+)/.exec(location.search)
    var wanted = navigator.languages ? navigator.languages.slice() : [navigator.language]
    try {
      wanted.unshift(JSON.parse(localStorage.getItem('chatapp.language') || '""'))
    } catch (_) { /* The browser's languages decide. */ }
    if (asked) wanted.unshift(asked[1])
    for (var i = 0; i < wanted.length; i++) {
      var tag = String(wanted[i]).split('-')[0].toLowerCase()
      if (offered.indexOf(tag) >= 0 && texts[tag]) return tag
    }
    return texts[offered[0]] ? offered[0] : 'en'
  }

  /** Reports whether the browser has the newest features that the page needs. */
  function isSupported() {
    try {
      return 'noModule' in HTMLScriptElement.prototype && 'Segmenter' in Intl &&
        'canParse' in URL && 'toReversed' in Array.prototype &&
        new RegExp('\\p{RGI_Emoji}', 'v').test('👍') &&
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
      Object.keys(storage).forEach(function (key) {
        if (key.indexOf('chatapp.') === 0) storage.removeItem(key)
      })
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
    var tag = language()
    var words = texts[tag]
    if (box) box.remove()
    box = document.createElement('div')
    box.id = 'failure'
    box.className = 'failure'
    box.lang = tag
    box.dataset.reason = reason
    box.setAttribute('role', 'alert')
    add(box, 'h1', words.title).hidden = reason === 'slow'
    add(box, 'p', words[reason])
    if (reason !== 'old') {
      add(box, 'button', words.retry).addEventListener('click', function () { location.reload() })
    }
    if (reason === 'broken') {
      add(box, 'button', words.afresh).addEventListener('click', function () {
        try { forget() } catch (_) { /* There is no storage. */ }
        location.reload()
      })
    }
    document.body.insertBefore(box, document.body.firstChild)
  }

  addEventListener('error', function (event) {
    var target = event.target
    if (target instanceof HTMLScriptElement ||
      target instanceof HTMLLinkElement && target.rel === 'stylesheet') {
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
