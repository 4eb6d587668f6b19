// The element <chat-room>, for other sites: it shows the chat in a frame. This file is served
// beside the page, and its address tells where that is:
//
//   <script src="https://chat.example.com/chat-room.js"></script>
//   <chat-room room="garden" language="ko" theme="dark"></chat-room>
//
// The chat allows it to the origins in its setting EMBED_ORIGINS.
(() => {
  const script = document.currentScript
  const top = new URL('./', script instanceof HTMLScriptElement ? script.src : location.href)

  class ChatRoom extends HTMLElement {
    static observedAttributes = ['room', 'language', 'theme', 'label']

    connectedCallback() {
      if (!this.shadowRoot) {
        const style = new CSSStyleSheet()
        style.replaceSync(':host { display: block; height: 32rem } ' +
          ':host([hidden]) { display: none } ' +
          'iframe { border: 0; display: block; height: 100%; width: 100% }')
        const root = this.attachShadow({ mode: 'open' })
        root.adoptedStyleSheets = [style]
        const frame = document.createElement('iframe')
        frame.allow = 'clipboard-write'
        root.append(frame)
        addEventListener('message', ({ source, data }) => {
          if (source === frame.contentWindow && data?.chatRoom === 'ready')
            this.dispatchEvent(new Event('ready'))
        })
      }
      this.show()
    }

    attributeChangedCallback() {
      if (this.shadowRoot) this.show()
    }

    show() {
      const frame = this.shadowRoot?.querySelector('iframe')
      if (!frame) return
      const address = new URL('?embed', top)
      for (const name of ['language', 'theme']) {
        const value = this.getAttribute(name)
        if (value) address.searchParams.set(name, value)
      }
      const room = this.getAttribute('room')
      if (room) address.hash = encodeURIComponent(room)
      frame.title = this.getAttribute('label') ?? 'Chat'
      if (frame.src !== address.href) frame.src = address.href
    }
  }

  customElements.define('chat-room', ChatRoom)
})()
