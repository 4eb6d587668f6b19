// A client for Socket.IO servers of version 3 and 4 (protocol 5), in the vocabulary of the official
// JavaScript client.

import { locate } from './address.js'
import { Manager } from './manager.js'
import { Socket } from './socket.js'

/** @type {Map<string, Manager>} */
const managers = new Map()

/**
 * Returns the socket of the namespace that an address names. Sockets of one server share a
 * connection, unless `forceNew` or `multiplex: false` says otherwise, or the namespace is in use on
 * it already.
 *
 * @param {any} [uri]
 * @param {Record<string, any>} [opts]
 * @returns {Socket}
 */
export function io(uri, opts = {}) {
  if (typeof uri === 'object' && uri) return io(undefined, uri)
  const { id, namespace } = locate(uri, opts)
  const known = managers.get(id)
  const alone = opts.forceNew || opts['force new connection'] || opts.multiplex === false ||
    known?.nsps[namespace]
  const manager = (!alone && known) || new Manager(uri, opts)
  if (!alone) managers.set(id, manager)
  return manager.socket(namespace, opts)
}

/** The version of the Socket.IO protocol. */
export const protocol = 5

export { io as connect, Manager, Socket }
export default Object.assign(io, { io, connect: io, Manager, Socket, protocol })
