package main

import (
	"os/exec"
	"runtime"
)

// browserCommand returns the command line that opens a URL in the default browser.
func browserCommand(url string) []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", url}
	case "darwin":
		return []string{"open", url}
	default:
		return []string{"xdg-open", url}
	}
}

// openBrowser opens a URL in the default browser, and prints a hint if that fails. Nothing waits
// for the goroutine that waits for the opener: it may last until the browser is closed, and the
// browser stays open when the local cluster ends.
func openBrowser(url string, console *console) {
	command := browserCommand(url)
	cmd := exec.Command(command[0], command[1:]...) // #nosec G204 -- the system's opener, for the page's own URL
	cmd.SysProcAttr = browserAttr()
	if err := cmd.Start(); err != nil {
		console.printf("No browser opened (%v): open %s yourself.", err, url)
		return
	}
	go func() {
		if err := cmd.Wait(); err != nil {
			console.printf("No browser opened (%s: %v): open %s yourself.", command[0], err, url)
		}
	}()
}
