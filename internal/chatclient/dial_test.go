package chatclient

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// sampleKey and its answer are those of RFC 6455, section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const sampleHead = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"

func TestHandshake(t *testing.T) {
	tests := []struct{ name, response, rest, want string }{
		{"accepted", sampleHead, "", ""},
		{"first frame behind it", sampleHead + "\x81\x01x", "\x81\x01x", ""},
		{"refused", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "no", "403 Forbidden"},
		{"other key's answer", strings.Replace(sampleHead, "s3p", "s3q", 1), "", "does not match the key"},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "", "malformed"},
		{"cut", sampleHead[:60], "", "EOF"},
		{"endless", strings.Repeat("x", 2*maxResponseHead), "", "longer than"},
	}
	for _, test := range tests {
		for _, read := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
			head, rest, err := readHead(read(strings.NewReader(test.response)))
			if err == nil {
				err = checkHead(head, sampleKey)
			}
			switch {
			case test.want == "" && err != nil, test.want != "" &&
				(err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s: handshake = %v, want %q", test.name, err, test.want)
			case !strings.HasPrefix(test.rest, string(rest)):
				t.Errorf("%s: rest = %q, want the start of %q", test.name, rest, test.rest)
			}
		}
	}
}

func TestParseTarget(t *testing.T) {
	tests := []struct {
		url      string
		protocol Protocol
		want     Target
	}{
		{"http://localhost:3000", SocketIO,
			Target{address: "localhost:3000", host: "localhost:3000", uri: "/socket.io/?EIO=4&transport=websocket"}},
		{"https://chat.example/", Raw, Target{address: "chat.example:443", host: "chat.example", secure: true,
			uri: "/ws"}},
		{"ws://[::1]:80/chat/ws?room=a", Raw, Target{address: "[::1]:80", host: "[::1]:80", uri: "/chat/ws?room=a"}},
		{"wss://chat.example/app/socket.io/", SocketIO,
			Target{address: "chat.example:443", host: "chat.example", secure: true,
				uri: "/app/socket.io/?EIO=4&transport=websocket"}},
	}
	for _, test := range tests {
		if got, err := ParseTarget(test.url, test.protocol); got != test.want || err != nil {
			t.Errorf("ParseTarget(%q, %v) = %+v, %v; want %+v", test.url, test.protocol, got, err, test.want)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte(sampleHead + "\x81\x01x"))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\n\r\n"))
	f.Fuzz(func(t *testing.T, response []byte) {
		head, rest, err := readHead(bytes.NewReader(response))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(response, head) || !bytes.HasPrefix(response[len(head):], rest) {
			t.Fatalf("readHead(%q) = %q, %q", response, head, rest)
		}
		if err := checkHead(head, sampleKey); err == nil && !bytes.Contains(head, []byte(sampleAccept)) {
			t.Fatalf("checkHead(%q): no error", head)
		}
	})
}
