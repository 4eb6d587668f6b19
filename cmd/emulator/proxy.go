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

// affinityCookie names the instance that has a long-polling client's session, as platforms' load
// balancers do.
const affinityCookie = "chatapp-instance"

// pollingPath is the prefix of requests that may belong to a session of several requests.
const pollingPath = "/socket.io/"

// Time-outs of the proxy. There is none for a whole request, since polls wait and WebSockets last.
const (
	proxyDialTimeout   = 2 * time.Second
	proxyHeaderTimeout = 10 * time.Second
	proxyIdleTimeout   = 2 * time.Minute
)

// proxy is the one address of all instances. It sends a request to the ready instance with the
// fewest open requests; a WebSocket counts for as long as it lasts. Requests of a long-polling
// session go to the session's instance, ready or not. Its methods may be called from any goroutine.
type proxy struct {
	// immutable
	log            *slog.Logger
	transport      *http.Transport
	reverse        *httputil.ReverseProxy
	server         *http.Server
	cancelRequests context.CancelFunc // of all requests, those taken over for WebSockets included

	serving sync.WaitGroup // requests; added to under mu

	mu sync.Mutex
	// mu guards
	closing  bool
	backends []*backend
	next     int // index of the backend to look at first
}

// backend is one process of an instance. The proxy's mu guards its fields except id and url.
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

// connKey is the context key of the client's connection.
type connKey struct{}

func newProxy(log *slog.Logger) *proxy {
	f := &proxy{log: log, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: proxyDialTimeout}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     proxyIdleTimeout,
		DisableCompression:  true, // what the browser gets is what the instance sent
	}}
	f.reverse = &httputil.ReverseProxy{
		Rewrite:   rewrite,
		Transport: f.transport,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(attemptKey{}).(*attempt).err = err
		},
	}
	ctx, cancelRequests := context.WithCancel(context.Background())
	f.cancelRequests = cancelRequests
	f.server = &http.Server{
		Handler:           f,
		ReadHeaderTimeout: proxyHeaderTimeout,
		IdleTimeout:       proxyIdleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	return f
}

// rewrite keeps the Host that the client sent and sets X-Forwarded-For and the like, as load
// balancers do. It drops such headers of the client.
func rewrite(r *httputil.ProxyRequest) {
	r.SetURL(r.In.Context().Value(attemptKey{}).(*attempt).backend.url)
	r.Out.Host = r.In.Host
	r.SetXForwarded()
}

// serve serves until close is called.
func (f *proxy) serve(listener net.Listener) error {
	if err := f.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close ends all clients' connections and waits until that is done.
func (f *proxy) close() {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.cancelRequests()
	_ = f.server.Close()
	f.serving.Wait()
	f.transport.CloseIdleConnections()
}

// add adds a backend that is not ready yet. Its id must be new.
func (f *proxy) add(id, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = append(f.backends, &backend{id: id, url: &url.URL{Scheme: "http", Host: address}})
}

// setReady opens a backend to new clients, or closes it to them.
func (f *proxy) setReady(id string, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.backends {
		if b.id == id {
			b.ready = ready
		}
	}
}

// remove removes the backend of a process that has ended. It ignores an unknown id.
func (f *proxy) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = slices.DeleteFunc(f.backends, func(b *backend) bool { return b.id == id })
	f.transport.CloseIdleConnections()
}

// open returns the number of requests and WebSockets that a backend serves for the proxy's clients.
func (f *proxy) open(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.backends {
		if b.id == id {
			return b.open
		}
	}
	return 0
}

// ServeHTTP forwards a request. If the chosen instance can't be reached and nothing was sent, it
// tries another.
func (f *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.enter() {
		panic(http.ErrAbortHandler) // the proxy is closing
	}
	defer f.serving.Done()
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		// After the instance has closed a WebSocket, ReverseProxy waits for the client, which may never close it.
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
			// #nosec G124 -- this is plain HTTP on loopback, where a secure cookie would not be stored
			http.SetCookie(w, &http.Cookie{
				Name: affinityCookie, Value: b.id, Path: pollingPath, HttpOnly: true, SameSite: http.SameSiteLaxMode,
			})
		}
		err := f.try(w, r, b)
		if err == nil {
			return
		}
		w.Header().Del("Set-Cookie")
		if !retryable(r, err) {
			f.log.Debug("request lost", "instance", b.id, "path", r.URL.Path, "err", err)
			http.Error(w, "the instance does not answer", http.StatusBadGateway)
			return
		}
		refused = append(refused, b)
	}
}

func (f *proxy) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closing {
		f.serving.Add(1)
	}
	return !f.closing
}

// try forwards a request to a backend. After an error the client has not received anything.
func (f *proxy) try(w http.ResponseWriter, r *http.Request, b *backend) error {
	defer f.release(b) // also if ReverseProxy panics to abort a response
	try := &attempt{backend: b}
	f.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), attemptKey{}, try)))
	return try.err
}

// retryable reports whether another backend may get the request: it belongs to no session, and
// nothing of it was sent.
func retryable(r *http.Request, err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" && r.ContentLength == 0 && !hasSession(r) &&
		r.Context().Err() == nil
}

// hasSession reports whether a request belongs to an Engine.IO session. Engine.IO v4, "Protocol":
// all requests but the first carry its sid.
func hasSession(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, pollingPath) && r.URL.Query().Get("sid") != ""
}

// take chooses a backend and counts a request there. It returns nil if there is none. remember
// reports whether the client should be sent a cookie.
func (f *proxy) take(r *http.Request, refused []*backend) (b *backend, remember bool) {
	sticky, wanted := strings.HasPrefix(r.URL.Path, pollingPath), ""
	if cookie, err := r.Cookie(affinityCookie); sticky && err == nil {
		wanted = cookie.Value
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b = f.namedLocked(wanted, hasSession(r), refused)
	if b == nil {
		b = f.leastLoadedLocked(refused)
	}
	if b == nil {
		return nil, false
	}
	b.open++
	return b, sticky && b.id != wanted
}

// namedLocked returns the backend that a cookie names. A backend that is not ready keeps its
// sessions and gets no new ones.
func (f *proxy) namedLocked(id string, session bool, refused []*backend) *backend {
	for _, b := range f.backends {
		if b.id == id && (session || b.ready) && !slices.Contains(refused, b) {
			return b
		}
	}
	return nil
}

// leastLoadedLocked returns the ready backend with the fewest open requests, and takes turns among
// equals.
func (f *proxy) leastLoadedLocked(refused []*backend) *backend {
	var least *backend
	f.next++
	for i := range f.backends {
		b := f.backends[(f.next+i)%len(f.backends)]
		if b.ready && !slices.Contains(refused, b) && (least == nil || b.open < least.open) {
			least = b
		}
	}
	return least
}

func (f *proxy) release(b *backend) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.open--
}
