package workertest

import (
	"net/http"
	"testing"

	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestWorkersOfOneHubServeUntilStop(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	stopped := Start(t, hub.Join("a"), "MAX_MESSAGE_LENGTH=100")
	left := Start(t, hub.Join("b")) // for the test's clean-up
	for s, want := range map[*Server]string{stopped: "a", left: "b"} {
		if got := s.Worker.Instance(); got != want {
			t.Errorf("instance %q, want %q", got, want)
		}
	}
	stopped.Stop()
	if response, err := http.Get(stopped.URL + "/healthz"); err == nil {
		response.Body.Close()
		t.Errorf("after Stop: %s, want no answer", response.Status)
	}
	stopped.Stop()
}

func TestUnreadyWorkerSaysWhy(t *testing.T) {
	s := StartUnready(t, nil, "EMULATOR_HTTP_PORT=1", "AZURE_SERVICEBUS_CONNECTIONSTRING="+
		"Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true")
	if err := ready(s.URL); err == nil {
		t.Error("a worker without its bus is ready")
	}
	s.Drain()
	if err := s.Wait(); err != nil {
		t.Errorf("drained before it was ready: %v", err)
	}
}
