package chaostest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"chatapp/internal/emulator"
	"chatapp/internal/waittest"
)

// asBus is the environment variable that turns the test binary into a bus: addresses for AMQP and HTTP, and a folder.
const asBus = "CHATAPP_CHAOSTEST_BUS"

// busProcess is an emulator in a process of its own, which keeps what it has answered in a folder, as Service Bus does.
type busProcess struct {
	amqp, http string // addresses
	folder     string
	cmd        *exec.Cmd
}

// startBus starts a bus that ends with the test.
func startBus(t *testing.T) *busProcess {
	t.Helper()
	b := &busProcess{folder: t.TempDir()}
	for _, address := range []*string{&b.amqp, &b.http} {
		*address = fmt.Sprintf("127.0.0.1:%d", lastingPort(t))
	}
	return b
}

// lastingPort returns a port for a process that is killed and started again. It is below those that systems give to
// connections and to listeners on port 0, so that none of these takes it in between.
func lastingPort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("a hundred ports are all in use")
	return 0
}

// start starts the process, and waits until it listens.
func (b *busProcess) start(t *testing.T) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd = exec.Command(executable)
	b.cmd.Env = append(os.Environ(), asBus+"="+strings.Join([]string{b.amqp, b.http, b.folder}, ","))
	b.cmd.Stderr = t.Output()
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waittest.UntilNil(t, "the bus listens", func() error {
		conn, err := net.Dial("tcp", b.http)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// kill ends the process at once.
func (b *busProcess) kill() {
	_ = b.cmd.Process.Kill() // or it has ended already
	_ = b.cmd.Wait()         // the status says that it was killed
}

// settings returns the environment of the workers, as NAME=value.
func (b *busProcess) settings() []string {
	_, port, _ := net.SplitHostPort(b.http)
	return []string{"EMULATOR_HTTP_PORT=" + port, fmt.Sprintf("AZURE_SERVICEBUS_CONNECTIONSTRING=Endpoint=sb://%s;"+
		"SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true", b.amqp, emulator.RootKey.KeyName,
		emulator.RootKey.PrimaryKey)}
}

// runBus is a bus process, which lives until it is killed.
func runBus() error {
	at := strings.SplitN(os.Getenv(asBus), ",", 3)
	_, err := emulator.Start(emulator.Options{AMQPAddress: at[0], HTTPAddress: at[1], Data: at[2], DataSync: true})
	if err != nil {
		return err
	}
	select {}
}
