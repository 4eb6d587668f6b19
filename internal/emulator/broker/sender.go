package broker

// Sender sends to a [Target] for one link. It ends when the entity is changed or deleted.
type Sender struct {
	target *Target
	wake   func()
	err    *Error // target.mu guards
}

// NewSender attaches a sender. The broker calls wake when it detaches the sender; [ReceiverOptions].Wake describes the
// restrictions.
func (t *Target) NewSender(wake func()) (*Sender, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.checkSendLocked(); err != nil {
		return nil, err
	}
	sender := &Sender{target: t, wake: wake}
	t.senders[sender] = struct{}{}
	return sender, nil
}

// Err returns nil while the sender is open, and later the reason why it was detached, with code [CodeDetached].
func (s *Sender) Err() error {
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return s.err
}

// Send is [Target.Send]. It fails once the sender is detached.
func (s *Sender) Send(msgs []*Message) error {
	if err := s.Err(); err != nil {
		return err
	}
	return s.target.Send(msgs)
}

// SendIn is [Transaction.Send]. It fails once the sender is detached.
func (s *Sender) SendIn(tx *Transaction, msgs []*Message) error {
	if err := s.Err(); err != nil {
		return err
	}
	return tx.Send(s.target, msgs)
}

// Close detaches the sender. Further calls do nothing.
func (s *Sender) Close() {
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if s.err == nil {
		s.err = errorf(CodeDetached, "The sender is closed.")
		delete(s.target.senders, s)
	}
}
