package emulator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"chatapp/internal/emulator/emulatortest"
)

// TestJavaScriptSDK drives the emulator with the JavaScript SDK, by the tests in testdata/node.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	const folder = "testdata/node"
	missing := t.Skipf
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		missing = t.Fatalf
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("Node.js is not installed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		missing("the JavaScript SDK is not installed, npm ci in %s does that: %v", folder, err)
	}
	s := emulatortest.Start(t, emulatortest.WithTLS())
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "--test", "sdk.test.js")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PLAIN="+s.ConnectionString(), "TLS="+s.TLSConnectionString(),
		"NODE_EXTRA_CA_CERTS="+ca)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
