package engineio

import (
	"context"
	"time"
)

// drainStep is the time between two groups of sessions that Drain closes.
const drainStep = 100 * time.Millisecond

// Drain opens no more sessions and closes the open ones in small groups, evenly spread over a time,
// so that their clients don't all connect to other servers at once. It returns when all are closed
// or gone, or ctx has ended; Shutdown must follow.
func (s *Server) Drain(ctx context.Context, over time.Duration) {
	s.stopOpening()
	sessions := s.all()
	if len(sessions) == 0 {
		return
	}
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	steps := max(int(over/drainStep), 1)
	for i := range steps {
		for _, session := range sessions[len(sessions)*i/steps : len(sessions)*(i+1)/steps] {
			session.Close(ErrServerClosed)
		}
		if i == steps-1 || s.empty() {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Shutdown opens no more sessions, closes the open ones with ErrServerClosed, and waits until their
// clients have received that, every Handler.Closed has returned and all goroutines have ended. When
// ctx ends first, it cuts the connections, by which they end at once, and returns ctx's error. It
// waits for calls of the handler in any case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOpening()
	for _, session := range s.all() {
		session.Close(ErrServerClosed)
	}
	s.readers.close()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	<-done
	return ctx.Err()
}

func (s *Server) stopOpening() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = max(s.state, closing)
}

// cut ends what is left without waiting for clients.
func (s *Server) cut() {
	for _, session := range s.all() {
		session.transition(eventExpired, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = cutting
	for c := range s.conns {
		c.abort()
	}
}
