package emulator_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatapp/internal/emulator/emulatortest"
)

// TestPageInBrowser clicks through the page in Chromium.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
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
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal("Chromium is missing")
		}
		t.Skip("Chromium is missing")
	}
	s := emulatortest.Start(t)
	s.Queue("queue")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.WindowSize(1000, 900))
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	defer endAllocator()
	ctx, end := chromedp.NewContext(allocator)
	defer end()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	run := func(what, expression string) bool {
		t.Helper()
		value, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return value
	}
	do := func(what, statements string) {
		t.Helper()
		run(what, "(() => {"+statements+"; return true})()")
	}
	wait := func(what, condition string) {
		t.Helper()
		run(what, `new Promise((resolve) => { const look = () => { let ok = false
			try { ok = `+condition+` } catch {}
			if (ok) resolve(true); else setTimeout(look, 20) }; look() })`)
	}
	const messages = `[...document.querySelectorAll('#messages article')]`
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+s.HTTPAddress()+"/")); err != nil {
		t.Fatal(err)
	}
	wait("the queue is listed", `document.querySelector('#entities td button')?.textContent === 'queue'`)
	do("choose the queue", `document.querySelector('#entities td button').click()`)
	wait("its messages are shown", `!document.querySelector('#detail').hidden`)
	do("send a message", `document.querySelector('#body').value = '{"a":[1],"b":"<img src=x onerror=alert(1)>"}'
		document.querySelector('#properties').value = '{"color":"red"}'
		document.querySelector('#send').requestSubmit()`)
	wait("the message is shown, its JSON indented", messages+
		`[0]?.querySelector('pre').textContent ===
			'{\n  "a": [\n    1\n  ],\n  "b": "<img src=x onerror=alert(1)>"\n}'`)
	wait("with its property", messages+`[0].querySelector('dl').textContent.includes('colorred')`)
	wait("and counted", `document.querySelectorAll('#entities td')[2].textContent === '1'`)

	// another client dead-letters the message; the page is live
	c := connect(t, s.ConnectionString(), nil)
	r := c.receiverOf("queue", nil)
	got, err := r.ReceiveMessages(c.ctx, 1, nil)
	if err != nil || len(got) != 1 {
		t.Fatalf("received %d messages, %v", len(got), err)
	}
	if err := r.DeadLetterMessage(c.ctx, got[0], nil); err != nil {
		t.Fatal(err)
	}
	wait("the dead letter is counted", `document.querySelectorAll('#entities td')[4].textContent === '1'`)
	if run("measure", `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than a window of 320 pixels")
	}
}
