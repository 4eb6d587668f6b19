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

// faultsPath is where the doors for HTTP, and the one for TLS, take the commands of a test:
//
//	GET  /$emulator                  what there is
//	GET  /$emulator/usage            the operation meter
//	POST /$emulator/faults/<name>    a fault, with a JSON object of parameters
//
// A POST needs the content type application/json, which keeps web pages of other origins from sending one.
const faultsPath = "/$emulator"

// maxFaultRequest is how long the parameters may be, in bytes.
const maxFaultRequest = 64 << 10

// faultParameters are those of all faults; each uses some.
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

// duration is a time.Duration written as in Go: "1.5s".
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

// fault is one of those the door offers.
type fault struct {
	uses string // the parameters, for people
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
		s.Delay(Latency{Min: time.Duration(p.Min), Max: time.Duration(p.Max), SpikeChance: p.SpikeChance, Spike: time.Duration(p.Spike)})
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
	"stall":         {"path, for", func(s *Server, p faultParameters) error { return s.Stall(p.Path, time.Duration(p.For)) }},
	"deliver-twice": {"path, count", func(s *Server, p faultParameters) error { return s.DeliverTwice(p.Path, max(p.Count, 1)) }},
	"lose-locks": {"path", func(s *Server, p faultParameters) error {
		_, err := s.LoseLocks(p.Path)
		return err
	}},
	"delete": {"path", func(s *Server, p faultParameters) error { return s.Delete(p.Path) }},
	"set-status": {"path, status (Active, Disabled, SendDisabled or ReceiveDisabled)", func(s *Server, p faultParameters) error {
		status, ok := broker.ParseStatus(p.Status)
		if !ok {
			return fmt.Errorf("status %q is not known", p.Status)
		}
		return s.SetStatus(p.Path, status)
	}},
}

// The faults that end the connection they are asked for on, so that the answer has to go first.
const (
	faultRestart      = "restart"
	faultRestartEmpty = "restart-empty"
)

func (s *Server) faultsDoor() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+faultsPath, s.serveOverview)
	mux.HandleFunc("GET "+faultsPath+"/usage", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.Broker().Usage()) })
	mux.HandleFunc("POST "+faultsPath+"/faults/{name}", s.serveFault)
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v) // whoever asked has gone
}

func (s *Server) serveOverview(w http.ResponseWriter, r *http.Request) {
	overview := struct {
		Namespace   string            `json:"namespace"`
		Connections int               `json:"connections"`
		Usage       broker.Usage      `json:"usage"`
		Faults      map[string]string `json:"faults"` // name to parameters
	}{Usage: s.Broker().Usage(), Namespace: s.Broker().Namespace(), Connections: s.Connections(), Faults: make(map[string]string)}
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
		http.Error(w, fmt.Sprintf("fault %q is not known; there are %s", name, strings.Join(names, ", ")), http.StatusNotFound)
		return
	}
	if err := f.do(s, p); err != nil {
		status := http.StatusBadRequest
		if refused, ok := errors.AsType[*broker.Error](err); ok {
			status = int(answers[refused.Code].status)
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// restartLater answers and then restarts, on a goroutine that Close waits for.
func (s *Server) restartLater(w http.ResponseWriter, r *http.Request, restart func() error) {
	w.Header().Set("Content-Length", "0") // so that the answer is whole with its header, and nothing follows the context's end
	w.WriteHeader(http.StatusAccepted)
	if err := http.NewResponseController(w).Flush(); err != nil {
		s.log.Debug("answer before a restart", "err", err)
	}
	s.serving.Go(func() {
		<-r.Context().Done()
		if err := restart(); err != nil {
			s.log.Error("restart", "err", err)
		}
	})
}
