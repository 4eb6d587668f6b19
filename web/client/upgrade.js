// The upgrade of a session to another transport: Engine.IO protocol 4, "Upgrade".

/** @typedef {import('./engine.js').Engine} Engine */

/**
 * Tries a transport beside the one in use, and moves the session over if the server answers on it.
 * Otherwise, and when the session ends meanwhile, the engine emits "upgradeError".
 *
 * @param {Engine} engine
 * @param {string} name
 */
export function probe(engine, name) {
  const transport = engine.createTransport(name)
  const old = /** @type {import('./polling.js').Polling} */ (engine.transport)

  /** @param {unknown} cause */
  const giveUp = (cause) => {
    stop()
    transport.close()
    old.resume()
    engine.upgrading = false
    const error = new Error('probe error: ' + cause)
    engine.emit('upgradeError', Object.assign(error, { transport: name }))
    engine.flush()
  }
  const closed = () => giveUp('transport closed')
  const ended = () => giveUp('socket closed')

  function stop() {
    transport.off()
    engine.off('close', ended)
  }

  transport.once('open', () => {
    transport.send([{ type: 'ping', data: 'probe' }])
    transport.once('packet', ({ type, data }) => {
      if (type !== 'pong' || data !== 'probe') return giveUp('unexpected packet')
      engine.upgrading = true
      engine.emit('upgrading', transport)
      // The server answers the waiting poll, so that no packet is lost between the transports.
      old.pause(() => {
        stop()
        engine.remember(name === 'websocket')
        engine.useTransport(transport)
        transport.send([{ type: 'upgrade' }])
        engine.upgrading = false
        engine.emit('upgrade', transport)
        engine.flush()
      })
    })
  })
  transport.once('error', giveUp)
  transport.once('close', closed)
  engine.once('close', ended)
  transport.open()
}
