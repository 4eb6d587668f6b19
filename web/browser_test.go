package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a window may take to come to what a test waits for.
const patience = 30 * time.Second

// chromium is the one browser of all tests, started by the first that needs it.
var chromium struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.ctx != nil {
		chromedp.Cancel(chromium.ctx)
		chromium.cancel()
	}
	os.Exit(code)
}

// required fails a test whose tools are missing where all of them must be there, and skips it elsewhere.
func required(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("browser tests are long")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, _ = exec.LookPath(name); path != "" {
			break
		}
	}
	if path == "" {
		required(t, "Chromium")
	}
	chromium.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
		allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
		chromium.cancel = cancel
		chromium.ctx, _ = chromedp.NewContext(allocator)
		chromium.err = chromedp.Do(chromium.ctx, chromedp.Navigate("about:blank"))
	})
	if chromium.err != nil {
		t.Fatalf("start %s: %v", path, chromium.err)
	}
	return chromium.ctx
}

// window is a browser window of a person of its own: it shares nothing with others.
type window struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex // guards what follows
	complaints []string
}

// look is how a window is set up; its zero value is a desktop in English and light colours.
type look struct {
	width, height int64
	dark          bool
	language      string
}

// open opens a window on an address.
func open(t *testing.T, address string, l look) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	w := &window{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.complaints {
			t.Errorf("the console says: %s", c)
		}
	})
	if l.width == 0 {
		l.width, l.height = 1280, 800
	}
	if l.language == "" {
		l.language = "en-GB"
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	w.do("open a window", chromedp.Navigate("about:blank"), chromedp.EmulateViewport(l.width, l.height), send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	}), send(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome", AcceptLanguage: l.language}))
	go w.listen()
	w.navigate(address)
	return w
}

// listen keeps what the page complains about. That a connection could not be made is what some tests are about.
func (w *window) listen() {
	for message, err := range chromedp.Console(w.ctx) {
		if err != nil {
			return
		}
		text := message.String()
		if message.Type != "error" && !message.IsException() || strings.Contains(text, "WebSocket connection to") || strings.Contains(text, "net::ERR_") {
			continue
		}
		w.mu.Lock()
		w.complaints = append(w.complaints, text)
		w.mu.Unlock()
	}
}

// forgive forgets what the page has complained about: the test has provoked it.
func (w *window) forgive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = nil
}

// send is a protocol command as an action.
func send[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// eval returns the value of an expression, a promise's once it is kept.
func eval[T any](w *window, expression string) T {
	w.t.Helper()
	return evalWithin[T](w, patience, expression)
}

func evalWithin[T any](w *window, limit time.Duration, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

func (w *window) run(statements string) {
	w.t.Helper()
	eval[bool](w, "(async () => {"+statements+"; return true})()")
}

// wait waits until an expression is true in the page, which looks every 20 ms, and anew when the page is another one. An
// expression that throws is not true yet.
func (w *window) wait(why, expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	watch := `new Promise((resolve) => { const look = () => { let is = false; try { is = ` + expression + ` } catch {} if (is) resolve(true); else setTimeout(look, 20) }; look() })`
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](watch, chromedp.EvalAwaitPromise))
		if ok {
			return
		}
		if ctx.Err() != nil || err == nil || errors.Is(err, context.DeadlineExceeded) {
			w.t.Fatalf("%s: still not %s after %v; the page shows:\n%s", why, expression, patience, w.shown())
		}
	}
}

// shown is what can be read in the window, for those who look into a failure.
func (w *window) shown() string {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	if folder := os.Getenv("CHATAPP_SCREENSHOTS"); folder != "" {
		w.screenshot(folder + "/failed-" + strings.ReplaceAll(w.t.Name(), "/", "-") + ".png")
	}
	return text
}

func (w *window) screenshot(name string) {
	picture, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(name, picture, 0o644)
	}
	if err != nil {
		w.t.Errorf("screenshot %s: %v", name, err)
	}
}

// Keys that press knows, with their codes.
var keyCodes = map[string]int64{"Enter": 13, "Escape": 27, "Tab": 9, "ArrowUp": 38, "ArrowDown": 40, "PageUp": 33, "PageDown": 34, "Space": 32}

const (
	altKey   = 1
	shiftKey = 8
)

// press presses a key and lets it go, as a keyboard does: a key that writes something says so in the event of its being
// pressed, so that a page that prevents that prevents the writing.
func (w *window) press(key string, modifiers ...int64) {
	w.t.Helper()
	w.keyDown(key, modifiers...)
	w.keyUp(key)
}

func (w *window) keyDown(key string, modifiers ...int64) {
	w.t.Helper()
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: key, Code: key, WindowsVirtualKeyCode: keyCodes[key]}
	switch key {
	case "Enter":
		down.Type, down.Text = input.DispatchKeyEventTypeKeyDown, "\r"
	case "Space":
		down.Type, down.Text, down.Key = input.DispatchKeyEventTypeKeyDown, " ", " "
	}
	for _, m := range modifiers {
		down.Modifiers |= m
	}
	w.do("press "+key, send(input.DispatchKeyEvent, down))
}

func (w *window) keyUp(key string) {
	w.t.Helper()
	w.do("let go "+key, send(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key, Code: key, WindowsVirtualKeyCode: keyCodes[key]}))
}

// write writes where the focus is.
func (w *window) write(text string) {
	w.t.Helper()
	w.do("write", send(input.InsertText, input.InsertTextParams{Text: text}))
}

// enter gives a name and waits until the chat is open.
func (w *window) enter(name string) {
	w.t.Helper()
	w.wait("the card asks for a name", `document.activeElement.id === 'nick'`)
	w.run(`document.querySelector('#nick').select()`)
	w.write(name)
	w.press("Enter")
	w.wait(name+" is let in", `document.querySelector('#naming').hidden && document.activeElement.id === 'message'`)
}

// say writes a message and sends it. Whether it arrives is not waited for.
func (w *window) say(text string) {
	w.t.Helper()
	w.run(`document.querySelector('#message').focus()`)
	w.write(text)
	w.press("Enter")
}

// heard waits until a message by somebody is in the log and shown.
func (w *window) heard(from, text string) {
	w.t.Helper()
	w.wait("message of "+from, fmt.Sprintf(`%s.some(([from, text]) => [%s, undefined].includes(from) && text === %s)`, conversation, encode(from), encode(text)))
}

// conversation are the confirmed messages shown: pairs of author and text. The first lines have no author if the one who
// said them is named further up.
const conversation = `(() => { let from; return [...document.querySelectorAll('.blocks .message')].map((m) => { from = m.querySelector('.author b')?.textContent ?? from; return [from, m.querySelector('.text').textContent] }) })()`

// texts are the confirmed messages shown, without their authors.
func (w *window) texts() []string {
	w.t.Helper()
	return eval[[]string](w, `[...document.querySelectorAll('.blocks .message .text')].map((m) => m.textContent)`)
}

func (w *window) click(selector string) {
	w.t.Helper()
	w.do("click "+selector, chromedp.Click(selector))
}

func (w *window) reload() {
	w.t.Helper()
	w.do("reload", chromedp.Reload())
}

func (w *window) navigate(address string) {
	w.t.Helper()
	w.do("navigate", chromedp.Navigate(address))
}

func (w *window) resize(width, height int64) {
	w.t.Helper()
	w.do("resize", chromedp.EmulateViewport(width, height))
}

// encode writes a value as an expression of JavaScript.
func encode(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// evaluate runs a script as the protocol does, which the page's policy does not bind.
func evaluate(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, runtime.Evaluate, runtime.EvaluateParams{Expression: script})
		return err
	})
}
