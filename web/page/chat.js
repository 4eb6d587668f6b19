// The chat over the plain door: each WebSocket message is one JSON object.
const $ = id => document.getElementById(id)
const acks = new Map()
let socket, lastID = 0, nick = ''

function emit(event, args, ack) {
  const message = { event, args }
  if (ack) acks.set(message.id = ++lastID, ack)
  socket.send(JSON.stringify(message))
}

function addLine(author, text) {
  const line = document.createElement('li')
  const who = document.createElement(author ? 'b' : 'em')
  who.textContent = author ? author + ' ' : text
  line.append(who, author ? text : '')
  $('lines').append(line)
  line.scrollIntoView({ block: 'end' })
}

const events = {
  'user message': (from, text) => addLine(from, text),
  announcement: text => addLine('', text),
}

function connect() {
  socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws')
  socket.onopen = () => {
    $('state').textContent = ''
    if (nick) claim(nick)
  }
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data)
    if (message.event) events[message.event]?.(...message.args)
    acks.get(message.ack)?.(...message.args)
    acks.delete(message.ack)
  }
  socket.onclose = () => {
    $('state').textContent = 'Attempting to re-connect to the server'
    setTimeout(connect, 1000 + Math.random() * 1000)
  }
}

function claim(name) {
  emit('nickname', [name], taken => {
    $('refusal').textContent = taken ? 'Nickname already in use' : ''
    if (taken) return
    nick = name
    $('naming').hidden = true
    $('sending').hidden = false
    $('text').focus()
  })
}

$('naming').onsubmit = event => {
  event.preventDefault()
  claim($('nick').value.trim())
}
$('sending').onsubmit = event => {
  event.preventDefault()
  emit('user message', [$('text').value])
  addLine('me', $('text').value)
  $('text').value = ''
}
connect()
