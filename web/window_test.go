package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// timeout is how long a page may take to show what a test waits for.
const timeout = 60 * time.Second

// chromium is the browser of all tests. The first test that needs it starts it; each window has a
// browser context of its own.
var chromium struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

// parallelTests is how many tests run at the same time. It exceeds the processors of a small
// machine, because a page spends much of a test waiting: for the server, for a frame, or until a
// notice goes away.
const parallelTests = "4"

// TestMain turns the test binary into a worker when the environment asks for that.
func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		os.Exit(runWorker())
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue && runtime.GOMAXPROCS(0) < 4 {
		f.Value.Set(parallelTests)
	}
	code := m.Run()
	if chromium.ctx != nil {
		chromedp.Cancel(chromium.ctx)
		chromium.cancel()
	}
	os.Exit(code)
}

// missing skips a test whose tool is missing, or fails it where CHATAPP_REQUIRE_ALL demands all
// tools.
func missing(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing", tool)
	}
	t.Skipf("%s is missing", tool)
}

// browser returns the context of the running browser, and skips the test without one.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("browser tests are long")
	}
	var path string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, _ = exec.LookPath(name); path != "" {
			break
		}
	}
	if path == "" {
		missing(t, "Chromium")
	}
	chromium.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
			chromedp.NoSandbox, chromedp.DisableGPU,
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

// window is a browser window of one user. It shares no storage, cache or cookies with others.
type window struct {
	t   *testing.T
	ctx context.Context

	mu            sync.Mutex // guards what follows
	consoleErrors []string
	failing       bool // the test makes the page fail from now on
}

// windowOptions are the properties of a window. The zero value is a desktop in English with the
// light theme.
type windowOptions struct {
	width, height int64
	dark          bool
	language      string
}

// openWindow opens a window on an address. Errors that the page logs to the console fail the test
// when it ends.
func openWindow(t *testing.T, address string, options windowOptions) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	w := &window{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, text := range w.consoleErrors {
			t.Errorf("error in the console: %s", text)
		}
	})
	if options.width == 0 {
		options.width, options.height = 1280, 800
	}
	if options.language == "" {
		options.language = "en-GB"
	}
	scheme := "light"
	if options.dark {
		scheme = "dark"
	}
	w.do("open a window",
		chromedp.Navigate("about:blank"),
		chromedp.EmulateViewport(options.width, options.height),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		command(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome", AcceptLanguage: options.language,
		}))
	go w.collectErrors()
	w.navigate(address)
	return w
}

// collectErrors records the errors in the page's console, except failed connections, which some
// tests cause.
func (w *window) collectErrors() {
	for message, err := range chromedp.Console(w.ctx) {
		if err != nil {
			return
		}
		text := message.String()
		isError := message.Type == "error" || message.IsException()
		if !isError || strings.Contains(text, "WebSocket connection to") || strings.Contains(text, "net::ERR_") ||
			strings.Contains(text, "fetching the script") { // of the service worker
			continue
		}
		w.mu.Lock()
		if !w.failing {
			w.consoleErrors = append(w.consoleErrors, text)
		}
		w.mu.Unlock()
	}
}

// clearErrors forgets the errors in the console so far, which the test has caused.
func (w *window) clearErrors() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.consoleErrors = nil
}

// expectErrors has errors in the console count no more. They may arrive later than what they cause.
func (w *window) expectErrors() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.consoleErrors, w.failing = nil, true
}

// command returns an action that calls a command of the DevTools protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// eval returns the value of a JavaScript expression. It waits for a promise.
func eval[T any](w *window, expression string) T {
	w.t.Helper()
	return evalWithin[T](w, timeout, expression)
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

// run runs JavaScript statements, which may await promises.
func (w *window) run(statements string) {
	w.t.Helper()
	eval[bool](w, "(async () => {"+statements+"; return true})()")
}

// wait waits until a JavaScript expression is true; an expression that throws is not yet true. The
// page evaluates it every 20 ms, also after another page was loaded. what names the expected state
// in failures.
func (w *window) wait(what, expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	watch := `new Promise((resolve) => {
		const check = () => {
			let is = false
			try { is = ` + expression + ` } catch {}
			if (is) resolve(true)
			else setTimeout(check, 20)
		}
		check()
	})`
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](watch, chromedp.EvalAwaitPromise))
		if ok {
			return
		}
		if ctx.Err() != nil || err == nil || errors.Is(err, context.DeadlineExceeded) {
			w.t.Fatalf("%s: still not %s after %v; the page shows:\n%s", what, expression, timeout, w.visibleText())
		}
	}
}

// visibleText returns the text of the page, to explain a failure, and takes a screenshot if
// CHATAPP_SCREENSHOTS names a folder.
func (w *window) visibleText() string {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
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

// keyCodes are the Windows virtual key codes of the keys that press knows.
var keyCodes = map[string]int64{
	"Enter": 13, "Escape": 27, "Tab": 9, "ArrowUp": 38, "ArrowDown": 40, "PageUp": 33, "PageDown": 34, "Space": 32,
	"Backspace": 8,
}

const (
	altKey   = 1
	shiftKey = 8
)

// press presses and releases a key. The text of a key is part of its press, so a page that prevents
// the event's default also prevents the text.
func (w *window) press(key string, modifiers ...int64) {
	w.t.Helper()
	w.keyDown(key, modifiers...)
	w.keyUp(key)
}

func (w *window) keyDown(key string, modifiers ...int64) {
	w.t.Helper()
	down := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeRawKeyDown, Key: key, Code: key, WindowsVirtualKeyCode: keyCodes[key],
	}
	switch key {
	case "Enter":
		down.Type, down.Text = input.DispatchKeyEventTypeKeyDown, "\r"
	case "Space":
		down.Type, down.Text, down.Key = input.DispatchKeyEventTypeKeyDown, " ", " "
	}
	for _, m := range modifiers {
		down.Modifiers |= m
	}
	w.do("press "+key, command(input.DispatchKeyEvent, down))
}

func (w *window) keyUp(key string) {
	w.t.Helper()
	up := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyUp, Key: key, Code: key, WindowsVirtualKeyCode: keyCodes[key],
	}
	if key == "Space" {
		up.Key = " "
	}
	w.do("release "+key, command(input.DispatchKeyEvent, up))
}

// write inserts text where the focus is.
func (w *window) write(text string) {
	w.t.Helper()
	w.do("write", command(input.InsertText, input.InsertTextParams{Text: text}))
}

// enter enters the chat under a nickname, and waits until messages can be written.
func (w *window) enter(name string) {
	w.t.Helper()
	w.wait("the dialog asks for a nickname", `document.activeElement.id === 'nick'`)
	w.run(`document.querySelector('#nick').select()`)
	w.write(name)
	w.press("Enter")
	w.wait(name+" can write a message",
		`document.querySelector('#naming').hidden && document.activeElement.id === 'message'`)
}

// send writes a message and presses Enter. It does not wait until the message is in the log.
func (w *window) send(text string) {
	w.t.Helper()
	w.focus("#message")
	w.write(text)
	w.press("Enter")
}

// waitForMessage waits until the page shows a message that is in the log.
func (w *window) waitForMessage(from, text string) {
	w.t.Helper()
	w.wait("message of "+from, fmt.Sprintf(`%s.some(([from, text]) => [%s, undefined].includes(from) && text === %s)`,
		conversation, encode(from), encode(text)))
}

// conversation evaluates to pairs of author and text of the messages that are in the log; the author of own
// messages is "me". The first messages have no author if a line further up, which is not drawn, names it.
const conversation = `(() => {
	let from
	return [...document.querySelectorAll('.blocks .message')].map((m) => {
		from = m.matches('.own') ? 'me' : m.querySelector('.author .who')?.textContent ?? from
		return [from, m.querySelector('.text').textContent]
	})
})()`

// waitForCount waits until n messages are shown and all of them are in the log.
func (w *window) waitForCount(n int) {
	w.t.Helper()
	w.wait("all messages are in the log", fmt.Sprintf(`document.querySelectorAll('.blocks .message').length === %d
		&& document.querySelector('.tail').childElementCount === 0`, n))
}

// nextFrames evaluates to a promise that is kept after two frames.
const nextFrames = `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))`

// importState makes the page's state, and what changes it, available to the statements after it.
const importState = `const { state, changed, addLine, roomNamed } = chatapp
`

// texts returns the texts of the messages that are in the log.
func (w *window) texts() []string {
	w.t.Helper()
	return eval[[]string](w, `[...document.querySelectorAll('.blocks .message .text')].map((m) => m.textContent)`)
}

// focus moves the focus to an element as soon as that can have it: one that is not shown yet takes none.
func (w *window) focus(selector string) {
	w.t.Helper()
	w.wait(selector+" has the focus", `(() => {
		const element = document.querySelector(`+encode(selector)+`)
		element.focus()
		return document.activeElement === element
	})()`)
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

// resizeWithoutDetail resizes the window and draws a quarter of its pixels each way, which takes
// far less time. The layout, in CSS pixels, is that of resize.
func (w *window) resizeWithoutDetail(width, height int64) {
	w.t.Helper()
	w.do("resize", command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 0.25,
	}))
}

func (w *window) resize(width, height int64) {
	w.t.Helper()
	w.do("resize", chromedp.EmulateViewport(width, height))
}

// encode returns a value as a JavaScript expression.
func encode(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// evaluate returns an action that runs a script outside of the page's content security policy.
func evaluate(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpruntime.Evaluate, cdpruntime.EvaluateParams{Expression: script})
		return err
	})
}
