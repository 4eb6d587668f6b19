package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Settings are what an operator chooses of the page. The zero value is the page as it comes. They are public: the
// document contains them.
type Settings struct {
	Title string `json:"title,omitempty"` // "": chatapp
	// Logo is the address of a picture, https or relative to the page; "": the page's own.
	Logo string `json:"logo,omitempty"`
	// Accent is a colour as #rrggbb, for the light theme, and maybe one for the dark theme.
	Accent []string `json:"accent,omitempty"`
	Room   string   `json:"room,omitempty"`  // shown where the address names none; "": the lobby
	Parts  []string `json:"parts,omitempty"` // of the Parts; nil: all
	// Languages are tags. The first one is spoken where the browser asks for none of them. Nil: all there are.
	Languages []string `json:"languages,omitempty"`
	// EmbedOrigins are the origins whose pages may show the page in a frame, as https://host or https://*.host.
	EmbedOrigins []string `json:"-"`
}

// Parts are the parts of the page that Settings can leave out: the list of rooms, the list of people, which instance
// serves the page, and the panel behind it.
var Parts = []string{"rooms", "people", "instance", "panel"}

var (
	colour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	origin = regexp.MustCompile(`^https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?$`)
)

// Check returns an error of one line for each setting that can't be used. It names settings by the environment
// variables that the worker reads them from.
func (s Settings) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len([]rune(s.Title)) > 60 {
		bad("PAGE_TITLE: it has more than 60 characters")
	}
	if strings.ContainsAny(s.Logo, " ;,'\"") {
		bad("PAGE_LOGO: %q is not the address of a picture", s.Logo)
	} else if u, err := url.Parse(s.Logo); err != nil || u.Scheme != "" && u.Scheme != "https" {
		bad("PAGE_LOGO: %q is neither a relative address nor one of https", s.Logo)
	}
	if len(s.Accent) > 2 {
		bad("PAGE_ACCENT: %d colours, want one, or one for each theme", len(s.Accent))
	}
	for _, c := range s.Accent {
		if !colour.MatchString(c) {
			bad("PAGE_ACCENT: %q is not one such as #0b6161", c)
		}
	}
	for _, p := range s.Parts {
		if !slices.Contains(Parts, p) {
			bad("PAGE_PARTS: %q is none of %s", p, strings.Join(Parts, ", "))
		}
	}
	for _, l := range s.Languages {
		if !slices.Contains(languages(), l) {
			bad("PAGE_LANGUAGES: %q is none of %s", l, strings.Join(languages(), ", "))
		}
	}
	for _, o := range s.EmbedOrigins {
		if !origin.MatchString(o) {
			bad("EMBED_ORIGINS: %q is not an origin such as https://example.com", o)
		}
	}
	return errors.Join(errs...)
}

// offered returns the languages among which people choose.
func (s Settings) offered() []string {
	if s.Languages == nil {
		return languages()
	}
	return s.Languages
}

// public returns the settings as JSON that may stand in a document.
func (s Settings) public() []byte {
	s.Languages = s.offered()
	text, err := json.Marshal(s) // which escapes what could end an element
	if err != nil {
		panic(err) // no field of Settings can fail
	}
	return text
}

// policies returns the Content-Security-Policy of the page and of the page in a frame. They allow it to load files from
// this origin and to connect to it, and nothing else. In every browser since Safari 15.4, 'self' includes ws: and wss:
// of the same host. Trusted Types turn every assignment of text to markup into an error.
func (s Settings) policies() (page, framed string) {
	pictures := "'self'"
	if u, err := url.Parse(s.Logo); err == nil && u.Host != "" {
		pictures += " https://" + u.Host
	}
	common := "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + pictures +
		"; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; " +
		"require-trusted-types-for 'script'; trusted-types worker; frame-ancestors "
	origins := "'none'"
	if len(s.EmbedOrigins) > 0 {
		origins = strings.Join(s.EmbedOrigins, " ")
	}
	return common + "'none'", common + origins
}
