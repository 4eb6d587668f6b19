package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/engineio"
)

// Setting is an environment variable that the worker reads, with the value in force.
type Setting struct {
	Name, Value string
	IsSet       bool // false: Value is the default
}

// variables reads environment variables. It collects an error for each unusable value, and the settings in force.
type variables struct {
	getenv   func(string) string
	errs     []error
	settings []Setting
}

func (v *variables) bad(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

// raw returns a variable without the spaces around it. A value in quotation marks is an error: files of variables that
// docker --env-file reads keep them.
func (v *variables) raw(name string) string {
	value := strings.TrimSpace(v.getenv(name))
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		v.bad("%s: the value %s is in quotation marks; remove them, since nothing else does", name, value)
		return ""
	}
	return value
}

// inForce records a setting that text sets, and its value.
func inForce[T any](v *variables, name, text string, value T) T {
	shown := fmt.Sprint(value)
	if n, ok := any(value).(float64); ok {
		shown = strconv.FormatFloat(n, 'f', -1, 64)
	}
	v.settings = append(v.settings, Setting{Name: name, Value: shown, IsSet: text != ""})
	return value
}

func (v *variables) text(name, fallback string) string {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, fallback)
	}
	return inForce(v, name, text, text)
}

// secret reads a variable, or the file that the variable with the suffix _FILE names: secrets are mounted as files.
func (v *variables) secret(name string) string {
	value, file := v.raw(name), v.raw(name+"_FILE")
	if file != "" {
		content, err := os.ReadFile(file) // #nosec G304 -- the operator names it
		switch content := strings.TrimSpace(string(content)); {
		case err != nil:
			v.bad("%s_FILE: %v", name, err)
		case value != "":
			v.bad("%s and %s_FILE are both set: remove one of them", name, name)
		case content == "":
			v.bad("%s_FILE: %s is empty", name, file)
		default:
			value = content
		}
	}
	masked := ""
	if value != "" {
		masked = "***"
	}
	inForce(v, name, value, masked)
	return value
}

func (v *variables) first(names ...string) string {
	for _, name := range names {
		if value := v.text(name, ""); value != "" {
			return value
		}
	}
	return ""
}

func (v *variables) integer(name string, fallback, lowest, highest int) int {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, fallback)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		v.bad("%s: %q is not a whole number from %d to %d", name, text, lowest, highest)
	}
	return inForce(v, name, text, n)
}

// path reads a path such as /chat, without a slash at its end.
func (v *variables) path(name string) string {
	text := strings.TrimRight(v.raw(name), "/")
	if text != "" && (text[0] != '/' || strings.ContainsAny(text, "?#%") || text != path.Clean(text)) {
		v.bad("%s: %q is not a path such as /chat", name, text)
	}
	return inForce(v, name, text, text)
}

// loopback reads a port and returns its address on the IPv4 loopback interface, or "" if the variable is not set.
func (v *variables) loopback(name string) string {
	if v.raw(name) == "" {
		return inForce(v, name, "", "")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(v.integer(name, 0, 0, 65535)))
}

func (v *variables) number(name string, fallback float64) float64 {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, fallback)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		v.bad("%s: %q is not a number from 0 up", name, text)
	}
	return inForce(v, name, text, n)
}

func (v *variables) duration(name string, fallback, lowest time.Duration) time.Duration {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, fallback)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest {
		v.bad("%s: %q is not a duration of at least %v, such as 25s or 1m30s", name, text, lowest)
	}
	return inForce(v, name, text, d)
}

// durationOrNone is duration for a variable that is 0 by default.
func (v *variables) durationOrNone(name string, lowest time.Duration) time.Duration {
	if v.raw(name) == "" || v.raw(name) == "0" || v.raw(name) == "0s" {
		return inForce(v, name, v.raw(name), time.Duration(0))
	}
	return v.duration(name, 0, lowest)
}

func (v *variables) boolean(name string) bool {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, false)
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.bad("%s: %q is neither true nor false", name, text)
	}
	return inForce(v, name, text, b)
}

func (v *variables) oneOf(name string, allowed ...string) string {
	text := strings.ToLower(v.raw(name))
	for _, value := range allowed {
		if text == value {
			return inForce(v, name, text, text)
		}
	}
	if text != "" {
		v.bad("%s: %q is none of %s", name, text, strings.Join(allowed, ", "))
	}
	return inForce(v, name, text, "")
}

func (v *variables) level(name string) slog.Level {
	text := v.raw(name)
	if text == "" {
		return inForce(v, name, text, slog.LevelInfo)
	}
	var level slog.Level
	if level.UnmarshalText([]byte(text)) != nil {
		v.bad("%s: %q is none of debug, info, warn, error", name, text)
	}
	return inForce(v, name, text, level)
}

func (v *variables) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(v.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// origins reads a list of origins, see engineio.Options.
func (v *variables) origins(name string) []string {
	origins := v.list(name)
	for _, origin := range origins {
		if err := engineio.CheckOrigin(origin); err != nil {
			v.bad("%s: %q %v", name, origin, err)
		}
	}
	return origins
}

// hosts reads a list of host names without ports. *.example.com stands for all subdomains, * for any host.
func (v *variables) hosts(name string) []string {
	hosts := v.list(name)
	for i, host := range hosts {
		plain := strings.TrimPrefix(host, "*.")
		if host != "*" && (plain == "" || strings.ContainsAny(plain, "/:@ *") || !isASCII(plain)) {
			v.bad("%s: %q is not a host name such as chat.example.com or *.example.com, nor *", name, host)
		}
		hosts[i] = strings.ToLower(host)
	}
	return hosts
}

// isASCII reports whether text is a host name as browsers send it, which is xn--... for one of other letters.
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}

// prefixes reads a list of CIDR prefixes. A single address is a prefix of full length.
func (v *variables) prefixes(name string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, item := range v.list(name) {
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			v.bad("%s: %q is not an address range such as 10.0.0.0/8", name, item)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

// store reads where the chat is kept. Without Service Bus that is a folder by default, one for each port.
func (v *variables) store(name string, port int, serviceBus bool, table TableConfig) StoreConfig {
	v.check(table)
	text := v.raw(name)
	c := StoreConfig{Folder: text, Table: table, IsSet: text != ""}
	switch {
	case strings.EqualFold(text, "none"):
		c.Folder, c.Table = "", TableConfig{}
	case c.Table != TableConfig{} && text != "":
		v.bad("%s and a variable of AZURE_STORAGETABLE are both set: remove one of them", name)
	case c.Table != TableConfig{}:
		c.IsSet = true
		inForce(v, name, text, "the table")
		return c
	case text == "" && !serviceBus && port != 0:
		c.Folder = filepath.Join("data", strconv.Itoa(port))
	}
	shown := c.Folder
	if shown == "" {
		shown = "none"
	}
	inForce(v, name, text, shown)
	return c
}

func (v *variables) check(c TableConfig) {
	const endpoint = "AZURE_STORAGETABLE_RESOURCEENDPOINT"
	if c.ConnectionString != "" && c.Endpoint != "" {
		v.bad("AZURE_STORAGETABLE_CONNECTIONSTRING and %s are both set: remove one of them", endpoint)
	}
	if c.Endpoint != "" && !strings.Contains(c.Endpoint, "://") {
		v.bad("%s: %q is not an address such as https://chat.table.core.windows.net", endpoint, c.Endpoint)
	}
}

// err returns an error of one line for each unusable value, or nil.
func (v *variables) err() error { return errors.Join(v.errs...) }
