package worker

import "runtime/debug"

// version is set by the image's build, by -ldflags "-X chatapp/internal/worker.version=…"; else the build's own record is used.
var version string

// Version is the version of this program: what its build was told, or the commit it was built from, or "unknown".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, modified := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			commit = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = "+changes"
		}
	}
	if commit == "" {
		return "unknown"
	}
	return commit[:min(len(commit), 12)] + modified
}
