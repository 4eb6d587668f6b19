package management

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

const (
	entryType = "application/atom+xml;type=entry;charset=utf-8"
	feedType  = "application/atom+xml;type=feed;charset=utf-8"

	atomSchema     = "http://www.w3.org/2005/Atom"
	busSchema      = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
	countSchema    = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
	instanceSchema = "http://www.w3.org/2001/XMLSchema-instance"
	typeSchema     = "http://www.w3.org/2001/XMLSchema"
)

// writer writes XML. Element names and attributes are constants, so that it escapes text only.
// Clients read the elements of a description in the order in which the service writes them.
type writer struct {
	bytes.Buffer
}

func (w *writer) text(name, text string) {
	w.WriteString("<" + name + ">")
	w.escape(text)
	w.WriteString("</" + name + ">")
}

func (w *writer) escape(text string) { w.WriteString(escape(text)) }

// escape escapes text for elements and for attributes in double quotes. Like the service, it leaves
// apostrophes: clients search the raw answer for the service's texts.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // writing to a Builder does not fail
	return strings.ReplaceAll(b.String(), "&#39;", "'")
}

// optional writes an element unless its text is empty.
func (w *writer) optional(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *writer) number(name string, n int64)           { w.text(name, strconv.FormatInt(n, 10)) }
func (w *writer) boolean(name string, b bool)           { w.text(name, strconv.FormatBool(b)) }
func (w *writer) duration(name string, d time.Duration) { w.text(name, broker.FormatDuration(d)) }

// time writes a time, or .NET's zero time for the zero time.Time.
func (w *writer) time(name string, t time.Time) { w.text(name, formatTime(t)) }

func formatTime(t time.Time) string {
	if t.IsZero() {
		return "0001-01-01T00:00:00"
	}
	return t.UTC().Format("2006-01-02T15:04:05.0000000Z")
}

// entry is one ATOM entry of an answer.
type entry struct {
	path     string // relative to the namespace
	title    string
	created  time.Time
	updated  time.Time
	describe func(*writer) // writes the content
}

// writeEntry writes an entry. The outermost element of a document declares the schema.
func (r *request) writeEntry(w *writer, e entry, outermost bool) {
	if outermost {
		w.WriteString(`<entry xmlns="` + atomSchema + `">`)
	} else {
		w.WriteString("<entry>")
	}
	id := r.baseURL() + e.path
	if version := r.URL.Query().Get("api-version"); version != "" {
		id += "?api-version=" + version
	}
	w.text("id", id)
	w.WriteString(`<title type="text">`)
	w.escape(e.title)
	w.WriteString("</title>")
	if !e.created.IsZero() {
		w.text("published", e.created.UTC().Format(time.RFC3339))
	}
	w.text("updated", e.updated.UTC().Format(time.RFC3339))
	w.WriteString("<author>")
	w.text("name", r.broker().Namespace())
	w.WriteString(`</author><link rel="self" href="`)
	w.escape(id)
	w.WriteString(`"/><content type="application/xml">`)
	e.describe(w)
	w.WriteString("</content></entry>")
}

// one returns an answer with a single entry.
func (r *request) one(status int, e entry) answer {
	var w writer
	r.writeEntry(&w, e, true)
	return answer{status, entryType, w.Bytes()}
}

// feed returns an answer with a page of entries.
func (r *request) feed(title, path string, entries []entry, next string) answer {
	var w writer
	w.WriteString(`<feed xmlns="` + atomSchema + `"><title type="text">`)
	w.escape(title)
	w.WriteString("</title>")
	id := r.baseURL() + path
	w.text("id", id)
	w.text("updated", time.Now().UTC().Format(time.RFC3339))
	w.WriteString(`<link rel="self" href="`)
	w.escape(id)
	w.WriteString(`"/>`)
	if next != "" {
		w.WriteString(`<link rel="next" href="`)
		w.escape(id + "?" + next)
		w.WriteString(`"/>`)
	}
	for _, e := range entries {
		r.writeEntry(&w, e, false)
	}
	w.WriteString("</feed>")
	return answer{http.StatusOK, feedType, w.Bytes()}
}

// publiclyListed is the service's answer to a GET of a queue or topic that does not exist.
func (r *request) publiclyListed() answer {
	return r.feed("Publicly Listed Services", r.resource.entity, nil, "")
}

// describe writes the element of a description, whose content body writes.
func describe(name string, body func(*writer)) func(*writer) {
	return func(w *writer) {
		w.WriteString("<" + name + ` xmlns="` + busSchema + `" xmlns:i="` + instanceSchema + `">`)
		body(w)
		w.WriteString("</" + name + ">")
	}
}

func (w *writer) times(t broker.Times) {
	w.time("CreatedAt", t.CreatedAt)
	w.time("UpdatedAt", t.UpdatedAt)
	w.time("AccessedAt", t.AccessedAt)
}

func (w *writer) counts(c broker.Counts) {
	w.WriteString(`<CountDetails xmlns:d2p1="` + countSchema + `">`)
	w.number("d2p1:ActiveMessageCount", c.Active)
	w.number("d2p1:DeadLetterMessageCount", c.DeadLetter)
	w.number("d2p1:ScheduledMessageCount", c.Scheduled)
	w.number("d2p1:TransferMessageCount", c.Transfer)
	w.number("d2p1:TransferDeadLetterMessageCount", c.TransferDeadLetter)
	w.WriteString("</CountDetails>")
}

func (w *writer) authorizationRules(rules []broker.AuthorizationRule) {
	w.WriteString("<AuthorizationRules>")
	for _, rule := range rules {
		w.WriteString(`<AuthorizationRule i:type="SharedAccessAuthorizationRule">`)
		w.text("ClaimType", "SharedAccessKey")
		w.text("ClaimValue", "None")
		w.WriteString("<Rights>")
		for _, right := range rights {
			if rule.Claims.Has(right.claims) {
				w.text("AccessRights", right.name)
			}
		}
		w.WriteString("</Rights>")
		w.text("KeyName", rule.KeyName)
		w.text("PrimaryKey", rule.PrimaryKey)
		w.optional("SecondaryKey", rule.SecondaryKey)
		w.WriteString("</AuthorizationRule>")
	}
	w.WriteString("</AuthorizationRules>")
}

var rights = []struct {
	name   string
	claims broker.Claims
}{{"Manage", broker.Manage}, {"Send", broker.Send}, {"Listen", broker.Listen}}

// forward writes the destination of forwarding: the address as given, or an address built from a name.
func (r *request) forward(w *writer, name, destination string) {
	if destination != "" && !strings.Contains(destination, "://") {
		destination = "sb://" + r.Host + "/" + destination
	}
	w.optional(name, destination)
}
