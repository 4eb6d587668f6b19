package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

// faultsPath is the root of the endpoints for tests, on the HTTP and TLS listeners:
//
//	GET  /$emulator                  an overview with the faults
//	GET  /$emulator/usage            the operation meter
//	POST /$emulator/faults/<name>    activates a fault; the body is a JSON object of parameters
//
// A POST needs the content type application/json, which a web page of another origin can't send without a preflight.
const faultsPath = "/$emulator"

// maxFaultRequest bounds the body of a fault request, in bytes.
const maxFaultRequest = 64 << 10

// faultParameters holds the parameters of all faults. Each fault uses some of them.
type faultParameters struct {
	Path             string   `json:"path"`
	For              duration `json:"for"`
	Count            int      `json:"count"`
	Condition        string   `json:"condition"`
	Description      string   `json:"description"`
	Min              duration `json:"min"`
	Max              duration `json:"max"`
	SpikeChance      float64  `json:"spikeChance"`
	Spike            duration `json:"spike"`
	Status           string   `json:"status"`
	CreditsPerSecond int      `json:"creditsPerSecond"`
}

// duration is a time.Duration in Go's notation, such as "1.5s". It must not be negative.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err == nil && parsed < 0 {
		err = errors.New("a duration is negative")
	}
	*d = duration(parsed)
	return err
}

// fault is one fault that the endpoint offers.
type fault struct {
	uses string // the parameters, for the overview
	do   func(*Server, faultParameters) error
}

var faultsByName = map[string]fault{
	"drop-connections": {"", func(s *Server, _ faultParameters) error {
		s.DropConnections()
		return nil
	}},
	"drop-mid-transfer": {"count", func(s *Server, p faultParameters) error {
		s.DropMidTransfer(max(p.Count, 1))
		return nil
	}},
	"detach-links": {"path, condition, description", func(s *Server, p faultParameters) error {
		if p.Condition == "" {
			return errors.New("condition is missing")
		}
		s.DetachLinks(p.Path, p.Condition, p.Description)
		return nil
	}},
	"go-silent": {"for", func(s *Server, p faultParameters) error {
		s.GoSilent(time.Duration(p.For))
		return nil
	}},
	"delay": {"min, max, spikeChance, spike", func(s *Server, p faultParameters) error {
		s.Delay(Latency{Min: time.Duration(p.Min), Max: time.Duration(p.Max), SpikeChance: p.SpikeChance,
			Spike: time.Duration(p.Spike)})
		return nil
	}},
	"refuse-tokens": {"for", func(s *Server, p faultParameters) error {
		s.RefuseTokens(time.Duration(p.For))
		return nil
	}},
	"server-busy": {"for", func(s *Server, p faultParameters) error {
		s.ServerBusy(time.Duration(p.For))
		return nil
	}},
	"throttle": {"creditsPerSecond", func(s *Server, p faultParameters) error {
		s.Broker().Throttle(p.CreditsPerSecond)
		return nil
	}},
	"stall-credit": {"for", func(s *Server, p faultParameters) error {
		s.StallCredit(time.Duration(p.For))
		return nil
	}},
	"stall": {"path, for", func(s *Server,
		p faultParameters) error {
		return s.Stall(p.Path, time.Duration(p.For))
	}},
	"deliver-twice": {"path, count", func(s *Server,
		p faultParameters) error {
		return s.DeliverTwice(p.Path, max(p.Count, 1))
	}},
	"lose-locks": {"path", func(s *Server, p faultParameters) error {
		_, err := s.LoseLocks(p.Path)
		return err
	}},
	"delete": {"path", func(s *Server, p faultParameters) error { return s.Delete(p.Path) }},
	"set-status": {"path, status (Active, Disabled, SendDisabled or ReceiveDisabled)",
		func(s *Server, p faultParameters) error {
			status, ok := broker.ParseStatus(p.Status)
			if !ok {
				return fmt.Errorf("status %q is not known", p.Status)
			}
			return s.SetStatus(p.Path, status)
		}},
}

// The faults that break the connection of their own request. The answer is written before the restart.
const (
	faultRestart      = "restart"
	faultRestartEmpty = "restart-empty"
)

func (s *Server) faultsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+faultsPath, s.serveOverview)
	mux.HandleFunc("GET "+faultsPath+"/usage", func(w http.ResponseWriter,
		r *http.Request) {
		writeJSON(w, s.Broker().Usage())
	})
	mux.HandleFunc("POST "+faultsPath+"/faults/{name}", s.serveFault)
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // an error means that the client has gone
}

func (s *Server) serveOverview(w http.ResponseWriter, r *http.Request) {
	overview := struct {
		Namespace   string            `json:"namespace"`
		Connections int               `json:"connections"`
		Usage       broker.Usage      `json:"usage"`
		Faults      map[string]string `json:"faults"` // name to parameters
	}{Usage: s.Broker().Usage(), Namespace: s.Broker().Namespace(), Connections: s.Connections(),
		Faults: make(map[string]string)}
	for name, f := range faultsByName {
		overview.Faults[name] = f.uses
	}
	overview.Faults[faultRestart], overview.Faults[faultRestartEmpty] = "", ""
	writeJSON(w, overview)
}

func (s *Server) serveFault(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "the parameters of a fault are application/json", http.StatusUnsupportedMediaType)
		return
	}
	var p faultParameters
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFaultRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil && err != io.EOF {
		http.Error(w, "parameters: "+err.Error(), http.StatusBadRequest)
		return
	}
	name := r.PathValue("name")
	switch name {
	case faultRestart:
		s.restartLater(w, r, s.Restart)
		return
	case faultRestartEmpty:
		s.restartLater(w, r, s.RestartEmpty)
		return
	}
	f, ok := faultsByName[name]
	if !ok {
		names := append(slices.Sorted(maps.Keys(faultsByName)), faultRestart, faultRestartEmpty)
		http.Error(w, fmt.Sprintf("fault %q is not known; there are %s", name, strings.Join(names, ", ")),
			http.StatusNotFound)
		return
	}
	if err := f.do(s, p); err != nil {
		status := http.StatusBadRequest
		if refused, ok := errors.AsType[*broker.Error](err); ok {
			status = int(errorMappings[refused.Code].status)
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// restartLater answers the request and then restarts, on a goroutine that Close waits for.
func (s *Server) restartLater(w http.ResponseWriter, r *http.Request, restart func() error) {
	w.Header().Set("Content-Length", "0") // completes the answer with its header
	w.WriteHeader(http.StatusAccepted)
	if err := http.NewResponseController(w).Flush(); err != nil {
		s.log.Debug("write the answer to a restart request", "err", err)
	}
	s.serving.Go(func() {
		<-r.Context().Done()
		if err := restart(); err != nil {
			s.log.Error("restart", "err", err)
		}
	})
}
