package engineio

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const unknownSession = `{"code":1,"message":"Session ID unknown"}`

// Clients of a server that goes away connect to others: in every second of a drain as many as in
// any other.
func TestDrainClosesAsManyClientsInEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
		defer end()
		const clients, seconds = 100, 10
		start := time.Now()
		ended := make(chan time.Duration, clients)
		for i := range clients {
			if i%2 == 0 {
				s := h.webSocket(webSocketURL)
				go func() {
					if err := s.awaitEnd(); err != nil {
						t.Errorf("the server goes away: %v", err)
					}
					ended <- time.Since(start)
				}()
				continue
			}
			_, target := h.openPolling()
			go func() {
				h.want("the server goes away", "GET", target, "", 400, unknownSession)
				ended <- time.Since(start)
			}()
		}
		synctest.Wait()
		h.server.Drain(t.Context(), seconds*time.Second)
		h.want("no new session is opened", "GET", pollingURL, "", 503,
			`{"code":4,"message":"No more sessions accepted"}`)
		var perSecond [seconds]int
		for range clients {
			at := <-ended
			perSecond[min(int(at/time.Second), seconds-1)]++
		}
		for second, n := range perSecond {
			if n < clients/seconds-2 || n > clients/seconds+2 {
				t.Errorf("%d clients were closed in second %d, want %d: %d", n, second, clients/seconds, perSecond)
			}
		}
	})
}

func TestDrainReturnsWhenNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
		defer end()
		var sockets []*socket
		for range 4 {
			sockets = append(sockets, h.webSocket(webSocketURL))
		}
		go func() {
			time.Sleep(time.Second)
			for _, s := range sockets {
				_ = s.conn.Close()
			}
		}()
		start := time.Now()
		h.server.Drain(t.Context(), time.Hour)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("Drain of an hour returned %v after its last client had left at 1 s", took)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
		closed := make(chan error, 4)
		for range cap(closed) {
			s := h.webSocket(webSocketURL)
			go func() { closed <- s.awaitEnd() }()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		h.server.Drain(ctx, time.Hour)
		if took := time.Since(start); took != time.Second {
			t.Errorf("Drain returned after %v, want with its context after 1 s", took)
		}
		end()
		for range cap(closed) {
			if err := <-closed; err != nil {
				t.Errorf("the server goes away: %v", err)
			}
		}
	})
}
