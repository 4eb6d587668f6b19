package worker

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
)

// sideServer serves what is not for clients, on a listener of its own. A nil *sideServer serves nothing.
type sideServer struct {
	server *http.Server
	cancel context.CancelFunc // of all requests: a CPU profile under way would otherwise delay the drain
	group  sync.WaitGroup
}

// startPprof listens on an address of the loopback interface; "" turns profiles off. It refuses any other address,
// because profiles show internals and cost CPU time.
func startPprof(address string, log *slog.Logger) (*sideServer, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on PPROF_PORT: %w", err)
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("serve profiles: %s is not a loopback address", address), listener.Close())
	}
	log.Info("serving profiles", "url", "http://"+listener.Addr().String()+"/debug/pprof/")
	return serveSide(listener, profiles(), log), nil
}

// profiles serves the profiles of net/http/pprof.
func profiles() *http.ServeMux {
	// Importing net/http/pprof also registers its handlers with http.DefaultServeMux, which no server here uses.
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func serveSide(listener net.Listener, handler http.Handler, log *slog.Logger) *sideServer {
	ctx, cancel := context.WithCancel(context.Background())
	p := &sideServer{cancel: cancel, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          stdlog.New(httpLog{log}, "", 0),
	}}
	p.group.Go(func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving metrics or profiles failed", "err", err)
		}
	})
	return p
}

// shutdown cancels profiles under way and waits for their requests to end.
func (p *sideServer) shutdown(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.cancel()
	err := p.server.Shutdown(ctx)
	p.group.Wait()
	return err
}
