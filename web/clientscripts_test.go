package web

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// maxClient is the limit of the minified client's size on the wire, compressed.
const maxClient = 8 << 10

// clientHandler is shared by all tests, because bundling takes a while.
var clientHandler = sync.OnceValue(ClientHandler)

func TestClientScriptsAreServed(t *testing.T) {
	h := clientHandler()
	for _, name := range ClientScripts() {
		target := "/chat/socket.io/" + name
		plain := fetch(h, "GET", target)
		zipped := fetch(h, "GET", target, "Accept-Encoding: gzip")
		tag := plain.Header.Get("ETag")
		if plain.StatusCode != 200 || tag == "" || plain.Header.Get("Cache-Control") != "no-cache" ||
			plain.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
			plain.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %s: %d, %v", target, plain.StatusCode, plain.Header)
		}
		if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("ETag") == tag {
			t.Errorf("GET %s compressed: %v", target, zipped.Header)
		}
		if again := fetch(h, "GET", target, "If-None-Match: "+tag); again.StatusCode != 304 {
			t.Errorf("GET %s with its tag: status %d, want 304", target, again.StatusCode)
		}
		content := body(t, plain)
		if strings.HasSuffix(name, ".map") {
			var m struct{ Sources []string }
			if err := json.Unmarshal(content, &m); err != nil || !slices.Contains(m.Sources, "socket.js") {
				t.Errorf("%s has the sources %q, %v", name, m.Sources, err)
			}
		} else if !bytes.HasSuffix(bytes.TrimSpace(content), []byte("//# sourceMappingURL="+name+".map")) {
			t.Errorf("%s does not name its source map", name)
		}
	}
	if r := fetch(h, "GET", "/socket.io/socket.io.msgpack.min.js"); r.StatusCode != 404 {
		t.Errorf("a script that does not exist: status %d, want 404", r.StatusCode)
	}
	if r := fetch(h, "POST", "/socket.io/socket.io.js"); r.StatusCode != 405 {
		t.Errorf("POST: status %d, want 405", r.StatusCode)
	}
}

func TestClientIsSmall(t *testing.T) {
	script := body(t, fetch(clientHandler(), "GET", "/socket.io/socket.io.min.js", "Accept-Encoding: gzip"))
	t.Logf("socket.io.min.js has %d bytes, compressed", len(script))
	if len(script) > maxClient {
		t.Errorf("socket.io.min.js has %d bytes, compressed, want at most %d", len(script), maxClient)
	}
}

// TestClientScriptsSetIO runs the classic scripts as a page does, and the module.
func TestClientScriptsSetIO(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip("no Node.js")
	}
	const check = `
		const same = [io.connect, io.io].every((f) => f === io);
		const socket = io("http://127.0.0.1:9/chat?a=b", { autoConnect: false });
		console.log(same, io.protocol, typeof io.Manager, typeof io.Socket, socket.nsp);`
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"} {
		script := string(body(t, fetch(clientHandler(), "GET", "/socket.io/"+name)))
		arguments, check := []string{"-"}, check
		if strings.Contains(name, "esm") {
			arguments = []string{"--input-type=module", "-"}
			check = strings.Replace("let module = await import(source); const io = module.io;\n"+
				"if (module.default !== io || module.connect !== io) console.log('exports differ');"+check,
				"source", dataURL("data:text/javascript,"+script), 1)
			script = ""
		}
		command := exec.Command(node, arguments...)
		command.Stdin = strings.NewReader(script + "\n" + check)
		output, err := command.CombinedOutput()
		if got := strings.TrimSpace(string(output)); err != nil || got != "true 5 function function /chat" {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// dataURL returns text as a JavaScript string of a data URL's content.
func dataURL(text string) string {
	scheme, content, _ := strings.Cut(text, ",")
	quoted, err := json.Marshal(content)
	if err != nil {
		panic(err) // it is a string
	}
	return "'" + scheme + ",' + encodeURIComponent(" + string(quoted) + ")"
}
