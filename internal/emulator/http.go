package emulator

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

func (s *Server) newHTTPServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc(webSocketPath, s.serveWebSocket)
	mux.HandleFunc(webSocketPath+"/{$}", s.serveWebSocket) // the form of the .NET SDK
	mux.Handle(faultsPath, s.faultsHandler())
	mux.Handle(faultsPath+"/", s.faultsHandler())
	s.handlePage(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if wantsPage(r) {
			servePage(w, r)
			return
		}
		if path, ok := parseMessagesPath(r.Method, r.URL.Path); ok {
			s.serveMessages(w, r, path)
			return
		}
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	})
	return &http.Server{
		Handler:           &allowlist{hosts: s.options.Hosts, origins: s.options.Origins, next: s.durable(mux)},
		ReadHeaderTimeout: sniffTimeout, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// serveHTTP serves one HTTP connection and returns when it has ended.
func (s *Server) serveHTTP(nc net.Conn) {
	one := &singleConnListener{conn: nc, done: make(chan struct{})}
	s.mu.Lock()
	web := s.httpServer
	s.mu.Unlock()
	_ = web.Serve(one) // returns the error of the second Accept, which waits for the connection's end
	_ = nc.Close()
}

// singleConnListener is a net.Listener that accepts one connection. Its second Accept waits until that one is closed.
type singleConnListener struct {
	conn     net.Conn
	done     chan struct{}
	once     sync.Once
	accepted bool
}

func (o *singleConnListener) Accept() (net.Conn, error) {
	if !o.accepted {
		o.accepted = true
		return &closeNotifyConn{Conn: o.conn, listener: o}, nil
	}
	<-o.done
	return nil, net.ErrClosed
}

func (o *singleConnListener) Close() error {
	o.once.Do(func() { close(o.done) })
	return nil
}

func (o *singleConnListener) Addr() net.Addr { return o.conn.LocalAddr() }

// closeNotifyConn closes its listener when it is closed.
type closeNotifyConn struct {
	net.Conn
	listener *singleConnListener
}

func (w *closeNotifyConn) Close() error {
	_ = w.listener.Close()
	return w.Conn.Close()
}
