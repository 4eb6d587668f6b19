package emulator

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// mechanisms are the SASL mechanisms offered. Clients take the first they know: the .NET SDK knows only MSSBCBS when it
// talks to an emulator, everybody else knows ANONYMOUS.
var mechanisms = []amqp.Symbol{"MSSBCBS", "ANONYMOUS", "PLAIN"}

// handshake does SASL and the protocol header, and leaves the connection where the client's open is expected. A client
// may leave SASL out.
func (c *conn) handshake() error {
	c.in.patience = handshakeTimeout
	id, err := c.in.header()
	if err != nil || id != amqp.ProtocolSASL && id != amqp.ProtocolAMQP {
		// AMQP 1.0 part 2, 2.2: who is not understood gets the header that would be, and nothing else.
		c.out.buf = amqp.AppendProtocolHeader(c.out.begin(), amqp.ProtocolSASL)
		return errors.Join(fmt.Errorf("protocol %d: %w", id, err), c.out.flush(time.Now(), 0))
	}
	if id == amqp.ProtocolSASL {
		if err := c.sasl(); err != nil {
			return err
		}
		if id, err = c.in.header(); err != nil {
			return err
		}
		if id != amqp.ProtocolAMQP {
			return fmt.Errorf("protocol %d behind SASL", id)
		}
	}
	c.out.buf = amqp.AppendProtocolHeader(c.out.begin(), amqp.ProtocolAMQP)
	return c.out.flush(time.Now(), 0)
}

func (c *conn) sasl() error {
	c.out.buf = amqp.AppendProtocolHeader(c.out.begin(), amqp.ProtocolSASL)
	c.write(0, &amqp.SASLMechanisms{Mechanisms: mechanisms})
	if err := c.out.flush(time.Now(), 0); err != nil {
		return err
	}
	f, size, err := c.in.frame()
	if err != nil {
		return fmt.Errorf("read sasl-init: %w", err)
	}
	p, err := amqp.ParsePerformative(f.Type, f.Body)
	if err != nil {
		return err
	}
	sasl, ok := p.(*amqp.SASLInit)
	if !ok {
		return fmt.Errorf("a %T where sasl-init belongs", p)
	}
	c.in.drop(size)
	refused := c.authenticate(sasl)
	outcome := amqp.SASLOK
	if refused != nil {
		outcome = amqp.SASLAuth
	}
	c.write(0, &amqp.SASLOutcome{Code: outcome})
	return errors.Join(refused, c.out.flush(time.Now(), 0))
}

// authenticate takes a client's choice. ANONYMOUS and MSSBCBS leave everything to $cbs; PLAIN carries the name of a key
// and the key, whose rights then hold for the connection.
func (c *conn) authenticate(sasl *amqp.SASLInit) error {
	switch sasl.Mechanism {
	case "ANONYMOUS", "MSSBCBS":
		return nil
	case "PLAIN": // RFC 4616: authzid NUL authcid NUL passwd
		parts := bytes.Split(sasl.InitialResponse, []byte{0})
		if len(parts) != 3 {
			return errors.New("SASL PLAIN: malformed response")
		}
		access, err := c.broker.VerifyKey(string(parts[1]), string(parts[2]))
		if err != nil {
			return fmt.Errorf("SASL PLAIN: %w", err)
		}
		c.grants[""] = grant{claims: access.Claims}
		c.authorized = true
		return nil
	}
	return fmt.Errorf("SASL mechanism %q was not offered", sasl.Mechanism)
}

// grant is what a token gives for the path of its audience, and for how long: a zero time is without end.
type grant struct {
	claims broker.Claims
	until  time.Time
}

func (g grant) validAt(t time.Time) bool { return g.until.IsZero() || t.Before(g.until) }

// claimsFor adds up what the tokens put so far allow at a path: those for the path itself, for what it lies below, and
// for the namespace.
func (c *conn) claimsFor(path string) broker.Claims {
	var all broker.Claims
	for at := strings.ToLower(path); ; {
		if g, ok := c.grants[at]; ok && g.validAt(c.now) {
			all |= g.claims
		}
		if at == "" {
			return all
		}
		at = at[:max(strings.LastIndexByte(at, '/'), 0)]
	}
}
