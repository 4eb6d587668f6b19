package chatclient

// queue is the handler of a connection whose caller takes the messages with Next.
type queue struct {
	protocol Protocol
	messages []Message
	begun    bool
	err      error // why the connection has ended
}

func (q *queue) Handle(kind Kind, payload []byte) error {
	if kind == Open || kind == Ping {
		return nil
	}
	m, err := q.protocol.Parse(payload)
	if err == nil {
		q.messages = append(q.messages, m)
	}
	return err
}

// Next reads and returns the next message but handshakes and heartbeats, which it answers. It is
// for connections without a Handler, in place of Serve. Once all messages are taken it returns the
// error that has ended the connection.
func (c *Conn) Next() (Message, error) {
	q := c.options.Handler.(*queue)
	for len(q.messages) == 0 && q.err == nil {
		if !q.begun {
			q.begun = true
			q.err = c.begin()
			continue
		}
		q.err = c.readBlocking(make([]byte, 4<<10))
	}
	if len(q.messages) == 0 {
		c.Abort()
		return Message{}, q.err
	}
	m := q.messages[0]
	q.messages = q.messages[1:]
	return m, nil
}
