package main

import (
	"os/exec"
	"runtime"
)

// browserCommand is what opens a page in the user's browser.
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

// openBrowser shows a page to the user. The goroutine that waits for the opener ends with it, which may be when the browser is closed: nobody
// waits for that, and the browser stays when the local cloud ends.
func openBrowser(url string, screen *screen) {
	command := browserCommand(url)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.SysProcAttr = browserAttr()
	if err := cmd.Start(); err != nil {
		screen.printf("No browser opened (%v): open %s yourself.", err, url)
		return
	}
	go func() {
		if err := cmd.Wait(); err != nil {
			screen.printf("No browser opened (%s: %v): open %s yourself.", command[0], err, url)
		}
	}()
}
