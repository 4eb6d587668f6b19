// What carries the messages of a connection: the Socket.IO client, over a WebSocket or, where a
// proxy refuses those, over long polling. Its interface is that of a WebSocket, with objects for
// messages.

import { Manager } from '../../client/manager.js'

/** @import { ClientMessage, ServerMessage } from './connection.js' */

/**
 * @typedef {object} Carrier
 * @property {() => void} onopen the server waits for the first message, {connect}
 * @property {(message: ServerMessage) => void} onmessage
 * @property {() => void} onclose
 * @property {(message: ClientMessage) => void} send
 * @property {() => void} close ends the connection, without a goodbye: the user may come back
 */

let silent = false // whether WebSockets are never answered here, as far as is known

/**
 * @param {URL} server where the server has Socket.IO
 * @param {boolean} pollingFirst whether to begin without a WebSocket and to try one later, for
 *   proxies that never answer one
 * @returns {Carrier}
 */
export function openCarrier(server, pollingFirst) {
  /** @type {((auth: object) => void) | undefined} */
  let join
  const first = silent || pollingFirst
  const manager = new Manager(server.origin, {
    path: server.pathname,
    transports: first ? ['polling', 'websocket'] : ['websocket', 'polling'],
    tryAllTransports: true,
    reconnection: false,
    timeout: false,
    autoConnect: false,
  })
  const socket = manager.socket('/', {
    auth: (/** @type {(auth: object) => void} */ done) => {
      join = done
      carrier.onopen()
    },
  })

  function leave() {
    if (manager.engine?.transport?.name === 'polling') manager.disconnect()
  }

  function close() {
    globalThis.removeEventListener?.('pagehide', leave)
    if (manager.readyState === 'opening' && !first) silent = true // given up without a word
    socket.off().offAny()
    manager.disconnect()
  }

  /** @type {Carrier} */
  const carrier = {
    onopen() {},
    onmessage() {},
    onclose() {},
    send({ connect, event, args = [], id }) {
      if (connect) join?.(connect)
      else if (id === undefined) socket.emit(/** @type {string} */ (event), ...args)
      else {
        socket.emit(/** @type {string} */ (event), ...args,
          (/** @type {any[]} */ ...answer) => carrier.onmessage({ ack: id, args: answer }))
      }
    },
    close,
  }

  const settle = () => { if (manager.engine?.transport.name === 'websocket') silent = false }
  socket.on('connect', () => {
    settle()
    manager.engine?.on('upgrade', settle)
    carrier.onmessage({ connect: {} })
  })
  socket.on('connect_error', (error) => {
    if (manager.readyState === 'open')
      carrier.onmessage({ connect_error: { message: error.message } })
    else carrier.onclose()
  })
  socket.on('disconnect', (reason) => {
    if (reason === 'io server disconnect') carrier.onmessage({ disconnect: {} })
    else carrier.onclose()
  })
  socket.onAny((event, ...args) => carrier.onmessage({ event, args }))
  // A browser closes WebSockets when the page goes away, but tells nobody of polling.
  globalThis.addEventListener?.('pagehide', leave)
  socket.connect()
  return carrier
}
