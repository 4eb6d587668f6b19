// Package azuritetest starts Azurite, Microsoft's emulator of Azure storage, for tests of what uses tables.
package azuritetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"chatapp/internal/waittest"
)

// account is that of every Azurite, whose key is public.
const account = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1" +
	"OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;TableEndpoint=http://127.0.0.1:%s/devstoreaccount1;"

// Start starts an Azurite that keeps tables in memory and ends with the test, and returns a connection string. The test
// is skipped where Node.js or Azurite is missing.
//
// Azurite must outlive what a test kills: it writes to its disk every few seconds only, while the tables of Azure have
// what they have acknowledged.
func Start(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(root(t), "internal", "store", "azuretable", "testdata", "azurite", "node_modules",
		"azurite")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(folder)
	}
	if err != nil {
		const needs = "needs Node.js, and npm ci in internal/store/azuretable/testdata/azurite: "
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal(needs, err)
		}
		t.Skip(needs, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	var output bytes.Buffer
	cmd := exec.Command(node, filepath.Join(folder, "dist", "src", "table", "main.js"), "--inMemoryPersistence",
		"--disableTelemetry", "--skipApiVersionCheck", "--silent", "--tableHost", "127.0.0.1", "--tablePort", port)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() && output.Len() > 0 {
			t.Logf("Azurite: %s", output.Bytes())
		}
	})
	waittest.UntilNil(t, "Azurite listens", func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return fmt.Sprintf(account, port)
}

// root returns the folder of the module. Tests run in that of their package.
func root(t *testing.T) string {
	folder, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			err = os.ErrNotExist
		}
		folder = filepath.Dir(folder)
	}
	t.Fatalf("the module's folder: %v", err)
	return ""
}
