package worker

import "runtime/debug"

// version is set by the image's build with -ldflags "-X chatapp/internal/worker.version=...".
var version string

// Version returns the version that the build was given, or else the commit it was built from with "+changes" appended
// for a modified checkout, or else "unknown".
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
