package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// affinityCookie names the instance that has a long-polling client's session. Platforms' load balancers do the same.
const affinityCookie = "chatapp-instance"

// pollingPath is where sessions live that a client reaches by more than one connection.
const pollingPath = "/socket.io/"

// Limits of the front in time; there is none for a request as a whole, since polls wait and WebSockets last.
const (
	frontDialTimeout   = 2 * time.Second
	frontHeaderTimeout = 10 * time.Second
	frontIdleTimeout   = 2 * time.Minute
)

// front is the one address of all instances. A request goes to the ready instance with the fewest open requests, a WebSocket counting for as
// long as it lasts; what belongs to a long-polling session goes to the session's instance, ready or not. Its methods may be called from
// any goroutine.
type front struct {
	// immutable
	log       *slog.Logger
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	server    *http.Server
	hangUp    context.CancelFunc // of all requests, those taken over for WebSockets included

	serving sync.WaitGroup // requests; added to under mu

	mu sync.Mutex
	// mu guards
	closing  bool
	backends []*backend
	turn     int // of the backend to look at first, so that equals take turns
}

// backend is one life of an instance, as the front sees it. Its fields but id and url are guarded by the front's mu.
type backend struct {
	id    string // in cookies
	url   *url.URL
	ready bool
	open  int // requests being served there
}

// attempt is one request on its way to one backend.
type attempt struct {
	backend *backend
	err     error // the backend could not be reached, and nothing was answered yet
}

type attemptKey struct{}

// connKey has the client's connection in the context of a request.
type connKey struct{}

func newFront(log *slog.Logger) *front {
	f := &front{log: log, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: frontDialTimeout}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     frontIdleTimeout,
		DisableCompression:  true, // what the browser gets is what the instance sent
	}}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:   rewrite,
		Transport: f.transport,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(attemptKey{}).(*attempt).err = err
		},
	}
	ctx, hangUp := context.WithCancel(context.Background())
	f.hangUp = hangUp
	f.server = &http.Server{
		Handler:           f,
		ReadHeaderTimeout: frontHeaderTimeout,
		IdleTimeout:       frontIdleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	return f
}

// rewrite passes a request on as load balancers do: with the host that the client asked for, and with who it was; what the client itself says
// of that is dropped.
func rewrite(r *httputil.ProxyRequest) {
	r.SetURL(r.In.Context().Value(attemptKey{}).(*attempt).backend.url)
	r.Out.Host = r.In.Host
	r.SetXForwarded()
}

// serve serves until close is called.
func (f *front) serve(listener net.Listener) error {
	if err := f.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close hangs up on all clients and waits until that is done.
func (f *front) close() {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.hangUp()
	_ = f.server.Close()
	f.serving.Wait()
	f.transport.CloseIdleConnections()
}

// add makes a backend known, not ready yet. Its id must be new.
func (f *front) add(id, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = append(f.backends, &backend{id: id, url: &url.URL{Scheme: "http", Host: address}})
}

// setReady opens or closes a backend to new clients.
func (f *front) setReady(id string, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.backends {
		if b.id == id {
			b.ready = ready
		}
	}
}

// remove forgets a backend whose process has ended; an unknown one is no error.
func (f *front) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = slices.DeleteFunc(f.backends, func(b *backend) bool { return b.id == id })
	f.transport.CloseIdleConnections()
}

// open is how many requests and WebSockets a backend serves for the front's clients.
func (f *front) open(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.backends {
		if b.id == id {
			return b.open
		}
	}
	return 0
}

// ServeHTTP passes a request on. One that reached nobody and sent nothing goes to another instance.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.enter() {
		panic(http.ErrAbortHandler) // nobody is to hear anything any more
	}
	defer f.serving.Done()
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		// The proxy waits for the client of a WebSocket that the instance has ended, and some clients never close.
		stop := context.AfterFunc(r.Context(), func() { _ = conn.Close() })
		defer stop()
	}
	var refused []*backend
	for {
		b, remember := f.take(r, refused)
		if b == nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "no instance is ready", http.StatusServiceUnavailable)
			return
		}
		if remember {
			http.SetCookie(w, &http.Cookie{Name: affinityCookie, Value: b.id, Path: pollingPath, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		err := f.try(w, r, b)
		if err == nil {
			return
		}
		w.Header().Del("Set-Cookie")
		if !repeatable(r, err) {
			f.log.Debug("request lost", "instance", b.id, "path", r.URL.Path, "err", err)
			http.Error(w, "the instance does not answer", http.StatusBadGateway)
			return
		}
		refused = append(refused, b)
	}
}

func (f *front) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closing {
		f.serving.Add(1)
	}
	return !f.closing
}

// try passes a request on to a backend. An error says that nothing was answered.
func (f *front) try(w http.ResponseWriter, r *http.Request, b *backend) error {
	defer f.release(b) // also where the proxy panics to abort an answer half given
	try := &attempt{backend: b}
	f.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), attemptKey{}, try)))
	return try.err
}

// repeatable tells whether a request can go to another backend: its session is not tied to one, and nothing of it was sent.
func repeatable(r *http.Request, err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" && r.ContentLength == 0 && !hasSession(r) && r.Context().Err() == nil
}

// hasSession tells whether a request belongs to a session that one instance has. Engine.IO v4, "Protocol": all requests but the first carry its sid.
func hasSession(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, pollingPath) && r.URL.Query().Get("sid") != ""
}

// take chooses a backend and counts a request there; nil where there is none. remember tells whether the client should be told which.
func (f *front) take(r *http.Request, refused []*backend) (b *backend, remember bool) {
	sticky, wanted := strings.HasPrefix(r.URL.Path, pollingPath), ""
	if cookie, err := r.Cookie(affinityCookie); sticky && err == nil {
		wanted = cookie.Value
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b = f.wantedLocked(wanted, hasSession(r), refused)
	if b == nil {
		b = f.leastLocked(refused)
	}
	if b == nil {
		return nil, false
	}
	b.open++
	return b, sticky && b.id != wanted
}

// wantedLocked is the backend that a cookie names. One that is not ready has its sessions still, but gets no new ones.
func (f *front) wantedLocked(id string, session bool, refused []*backend) *backend {
	for _, b := range f.backends {
		if b.id == id && (session || b.ready) && !slices.Contains(refused, b) {
			return b
		}
	}
	return nil
}

// leastLocked is the ready backend with the fewest open requests; those with equally few take turns.
func (f *front) leastLocked(refused []*backend) *backend {
	var least *backend
	f.turn++
	for i := range f.backends {
		b := f.backends[(f.turn+i)%len(f.backends)]
		if b.ready && !slices.Contains(refused, b) && (least == nil || b.open < least.open) {
			least = b
		}
	}
	return least
}

func (f *front) release(b *backend) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.open--
}
