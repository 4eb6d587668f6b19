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

// mechanisms are the SASL mechanisms that the server offers. Clients take the first one they support. The .NET SDK
// supports only MSSBCBS when it connects to an emulator; the others support ANONYMOUS.
var mechanisms = []amqp.Symbol{"MSSBCBS", "ANONYMOUS", "PLAIN"}

// handshake exchanges the protocol headers and authenticates the client by SASL, which the client
// may omit. The client's open is expected next.
func (c *conn) handshake() error {
	c.in.readTimeout = handshakeTimeout
	id, err := c.in.header()
	if err != nil || id != amqp.ProtocolSASL && id != amqp.ProtocolAMQP {
		// AMQP 1.0 part 2, 2.2: the answer to an unsupported header is a supported one, and then the end.
		c.out.buf = amqp.AppendProtocolHeader(c.out.buffer(), amqp.ProtocolSASL)
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
			return fmt.Errorf("protocol %d after SASL", id)
		}
	}
	c.out.buf = amqp.AppendProtocolHeader(c.out.buffer(), amqp.ProtocolAMQP)
	return c.out.flush(time.Now(), 0)
}

func (c *conn) sasl() error {
	c.out.buf = amqp.AppendProtocolHeader(c.out.buffer(), amqp.ProtocolSASL)
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
		return fmt.Errorf("received %T instead of sasl-init", p)
	}
	c.in.consume(size)
	refused := c.authenticate(sasl)
	outcome := amqp.SASLOK
	if refused != nil {
		outcome = amqp.SASLAuth
	}
	c.write(0, &amqp.SASLOutcome{Code: outcome})
	return errors.Join(refused, c.out.flush(time.Now(), 0))
}

// authenticate checks the client's SASL mechanism. ANONYMOUS and MSSBCBS leave authorization to $cbs. PLAIN carries the
// name of a key and the key, whose rights then hold for the connection.
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
		c.grants[""] = tokenGrant{claims: access.Claims}
		c.authorized = true
		return nil
	}
	return fmt.Errorf("SASL mechanism %q was not offered", sasl.Mechanism)
}

// authorization is what the client of a connection may do. It belongs to the loop.
type authorization struct {
	grants     map[string]tokenGrant // by the lower-case path of the token's audience
	authorized bool                  // a token was accepted, or SASL PLAIN
}

// tokenGrant holds the rights of one token. It ends at until; the zero time means never.
type tokenGrant struct {
	claims broker.Claims
	until  time.Time
}

func (g tokenGrant) validAt(t time.Time) bool { return g.until.IsZero() || t.Before(g.until) }

// claimsFor returns the rights at a path: those of all valid tokens for the path itself, for its parents and for the
// namespace.
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
