// The plain WebSocket door of the server: events both ways, answers to those sent with an id, and coming back after the
// connection was lost. Knows no event by name.
//
// A browser shows a page no WebSocket pings, so a connection that died without a close frame is found by asking: when
// the system says that something changed, when an answer is late, and when nothing has been heard for a while.

const connectLimit = 8000 // ms for a connection to be made, handshake included
const answerLimit = 2000 // ms for a probe to be answered by anything at all
const lateAfter = 700 // ms without a sound after which a call has a probe sent behind it
const idleLimit = 15000 // ms without a sound before a probe
const longestDelay = 30000 // ms between two attempts
const steady = 5000 // ms a connection must have held for the next loss to count as the first

// Lost rejects calls whose connection went away before the answer: whether the server acted on them is unknown.
export class Lost extends Error {}

// createConnection returns a connection that is not yet open. hello() gives the fields of the first message; event(name,
// args) is called for every event; phase(name, detail) when it becomes connecting, online, waiting {retryAt, code, since} or
// closed {reason}; probe is the name of an event that the server answers cheaply.
export function createConnection({ url, hello, event, phase, probe }) {
  let socket = null
  let online = false
  let timer = 0
  let probing = 0
  let attempt = 0
  let since = 0
  let heard = 0
  let wanted = false
  let nextId = 1
  const calls = new Map()

  function open() {
    clearTimeout(timer)
    wanted = true
    phase('connecting')
    const mine = new WebSocket(url)
    socket = mine
    timer = setTimeout(() => lose(mine, 0), connectLimit)
    mine.onopen = () => mine.send(JSON.stringify({ connect: hello() }))
    mine.onmessage = (message) => mine === socket && receive(message.data)
    mine.onclose = (close) => lose(mine, close.code)
  }

  function receive(text) {
    heard = Date.now()
    const message = JSON.parse(text)
    if (message.event !== undefined) event(message.event, message.args ?? [])
    else if (message.ack !== undefined) {
      const call = calls.get(message.ack)
      calls.delete(message.ack)
      call?.resolve(message.args ?? [])
    } else if (message.connect) {
      clearTimeout(timer)
      online = true
      since = Date.now()
      phase('online')
    } else if (message.connect_error) {
      lose(socket, 0)
    } else if (message.disconnect) {
      close('server') // it means: do not come back by yourself
    } else if (message.error) {
      console.error('the server refused a message:', message.error.code, message.error.message)
    }
  }

  function abandon(old) {
    socket = null
    online = false
    clearTimeout(timer)
    clearTimeout(probing)
    probing = 0
    old?.close()
    const lost = [...calls.values()]
    calls.clear()
    for (const call of lost) call.reject(new Lost('connection lost'))
  }

  // lose gives up a connection that has been of no use since then, and has another one made.
  function lose(old, code, then = Date.now()) {
    if (old !== socket) return
    const held = online && Date.now() - since > steady
    abandon(old)
    if (!wanted) return
    attempt = held ? 0 : attempt + 1
    // At once the first time, but not all clients of an instance in the same moment; then ever more seldom.
    const base = held ? 0 : Math.min(longestDelay, 500 * 2 ** attempt)
    const delay = base / 2 + Math.random() * (base / 2 || 250)
    timer = setTimeout(open, delay)
    phase('waiting', { retryAt: Date.now() + delay, code, since: then })
  }

  function close(reason) {
    wanted = false
    abandon(socket)
    phase('closed', { reason })
  }

  // check finds out whether the connection still lives, unless that is known.
  function check() {
    if (!online || probing) return
    const mine = socket
    const asked = Date.now()
    probing = setTimeout(() => {
      probing = 0
      if (heard < asked) lose(mine, 0, asked)
    }, answerLimit)
    emit(probe)
  }

  // retry connects now instead of later.
  function retry() {
    if (!wanted || !socket) open()
  }

  function wake() {
    if (document.hidden) return
    if (wanted && !socket) open()
    else if (Date.now() - heard > 1000) check()
  }

  function write(message) {
    socket.send(JSON.stringify(message))
  }

  // emit sends an event if there is a connection, and forgets it otherwise.
  function emit(name, ...args) {
    if (online) write(args.length > 0 ? { event: name, args } : { event: name })
    return online
  }

  // call sends an event and returns the arguments of its answer; it rejects with Lost.
  function call(name, ...args) {
    if (!online) return Promise.reject(new Lost('not connected'))
    const id = nextId++
    return new Promise((resolve, reject) => {
      calls.set(id, { resolve, reject })
      write({ event: name, args, id })
      const asked = Date.now()
      setTimeout(() => calls.has(id) && heard < asked && check(), lateAfter)
    })
  }

  addEventListener('online', wake)
  addEventListener('pageshow', wake)
  addEventListener('offline', check)
  document.addEventListener('visibilitychange', wake)
  setInterval(() => {
    if (Date.now() - heard > idleLimit) check()
  }, idleLimit / 3)

  return { open, retry, close, emit, call, check }
}
