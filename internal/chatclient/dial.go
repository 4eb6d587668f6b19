package chatclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- RFC 6455 prescribes it
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxResponseHead bounds the server's answer to the opening handshake.
const maxResponseHead = 16 << 10

// dial connects to t and makes the opening handshake of RFC 6455, section 4.1. It returns what came
// behind the response, which already belongs to the WebSocket. The deadline of ctx holds for all of
// it.
func dial(ctx context.Context, t Target) (conn net.Conn, rest []byte, err error) {
	var dialer net.Dialer
	conn, err = dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, nil, err
	}
	if t.secure {
		conn = tls.Client(conn, &tls.Config{ServerName: hostname(t.address), NextProtos: []string{"http/1.1"},
			InsecureSkipVerify: t.Insecure}) // #nosec G402 -- whoever runs the load test says so
	}
	rest, err = open(ctx, conn, t)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, rest, nil
}

// open makes the opening handshake on a connection.
func open(ctx context.Context, conn net.Conn, t Target) (rest []byte, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	key := newKey()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nUser-Agent: chatapp-client\r\n\r\n", t.uri, t.host, key)
	if err != nil {
		return nil, fmt.Errorf("send handshake: %w", err)
	}
	head, rest, err := readHead(conn)
	if err != nil {
		return nil, fmt.Errorf("read handshake: %w", err)
	}
	if err := checkHead(head, key); err != nil {
		return nil, err
	}
	return rest, conn.SetDeadline(time.Time{})
}

func hostname(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// newKey makes a Sec-WebSocket-Key: 16 random bytes in base64.
func newKey() string {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails (crypto/rand, Go 1.24)
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// acceptFor is the Sec-WebSocket-Accept that answers key (RFC 6455, section 4.2.2).
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // #nosec G401 -- it protects nothing
	return base64.StdEncoding.EncodeToString(sum[:])
}

// readHead reads up to the empty line that ends a response head.
func readHead(r io.Reader) (head, rest []byte, err error) {
	buf := make([]byte, 0, 512)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if end := bytes.Index(buf, []byte("\r\n\r\n")); end >= 0 {
			return buf[:end+4], buf[end+4:], nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(buf) >= maxResponseHead {
			return nil, nil, fmt.Errorf("response head longer than %d bytes", maxResponseHead)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func checkHead(head []byte, key string) error {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("handshake answered %s", response.Status)
	}
	if got := response.Header.Get("Sec-WebSocket-Accept"); got != acceptFor(key) {
		return fmt.Errorf("handshake answered with Sec-WebSocket-Accept %q: does not match the key", got)
	}
	return nil
}
