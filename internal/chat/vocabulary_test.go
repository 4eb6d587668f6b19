package chat

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// requestsOfRows has arguments of each event that the vocabulary lists, with which the server grants it.
var requestsOfRows = []struct{ event, args string }{
	{"nickname", `,"Ann"`}, {"user message", `,"hi",{"cid":"of the client"}`}, {"join", `,"go"`}, {"rooms", ``},
	{"who", ``}, {"history", ``}, {"typing", ``}, {"stop typing", ``}, {"status", ``}, {"rename", `,"Anna"`},
	{"add user", `,"Bob"`}, {"new message", `,"hello"`}, {"leave", `,"go"`},
	{"search", `,{"text":"hi"}`}, {"forget me", ``},
}

// notProvoked are the events of a slow log, which has tests of its own.
var notProvoked = []string{"provisional", "withdrawn"}

// vocabularyRow is a row of one of the tables of VOCABULARY.md.
type vocabularyRow struct{ args, ack string }

// readVocabulary returns the rows of the table below a heading, by the name of their event.
func readVocabulary(t *testing.T, heading string) map[string]vocabularyRow {
	t.Helper()
	text, err := os.ReadFile("VOCABULARY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "### "+heading+"\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[string]vocabularyRow{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), " | ")
		names := regexp.MustCompile("`([a-z ]+)`").FindAllStringSubmatch(cells[0], -1)
		for _, name := range names {
			row := vocabularyRow{args: cells[1]}
			if len(cells) > 2 {
				row.ack = cells[2]
			}
			rows[name[1]] = row
		}
	}
	if len(rows) < 10 {
		t.Fatalf("the table %q has %d rows", heading, len(rows))
	}
	return rows
}

// shape is an object as the vocabulary writes it: {key, optional?, inner:{...}, list:[{...}]}.
type shape map[string]field

type field struct {
	optional bool
	inner    shape // of an object, or of each element of a list; nil if the vocabulary names none
}

// parseShape returns the first object in text, nil if there is none.
func parseShape(text string) shape {
	start := strings.IndexByte(text, '{')
	if start < 0 {
		return nil
	}
	text = text[start+1:]
	s, depth, begin := shape{}, 0, 0
	for i, c := range text {
		switch {
		case strings.ContainsRune("{[(", c):
			depth++
		case (c == ',' || c == '}') && depth == 0:
			key, value, _ := strings.Cut(strings.TrimSpace(text[begin:i]), ":")
			name, optional := strings.CutSuffix(key, "?")
			if name != "" && name != "..." {
				s[name] = field{optional, parseShape(value)}
			}
			if begin = i + 1; c == '}' {
				return s
			}
		case strings.ContainsRune("}])", c):
			depth--
		}
	}
	return s
}

// compare returns how a value differs from the shape. Keys that the shape lacks are accepted where text has
// them.
func (s shape) compare(value any, text string) (differences []string) {
	if list, ok := value.([]any); ok {
		for _, element := range list {
			differences = append(differences, s.compare(element, text)...)
		}
		return differences
	}
	object, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%v is no object", value)}
	}
	for key, f := range s {
		switch inner, given := object[key]; {
		case !given && !f.optional:
			differences = append(differences, "without "+key)
		case given && f.inner != nil:
			differences = append(differences, f.inner.compare(inner, text)...)
		}
	}
	for key := range object {
		if _, ok := s[key]; !ok && !strings.Contains(text, "`"+key) {
			differences = append(differences, "with "+key)
		}
	}
	return differences
}

func TestAnswersAreThoseOfTheVocabulary(t *testing.T) {
	rows, events := readVocabulary(t, "Client -> server"), readVocabulary(t, "Server -> client")
	for event := range rows {
		if !slices.ContainsFunc(requestsOfRows, func(r struct{ event, args string }) bool { return r.event == event }) {
			t.Errorf("no test of the event %q", event)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		ann := c.replicas[0].visit("")
		for _, request := range requestsOfRows {
			row, ok := rows[request.event]
			if !ok {
				t.Errorf("the vocabulary has no event %q", request.event)
				continue
			}
			u := ann
			if request.event == "add user" {
				u = c.replicas[0].visit("")
			}
			u.Send(fmt.Sprintf(`27[%q%s]`, request.event, request.args))
			answer := ""
			for !strings.HasPrefix(answer, "37") {
				answer = u.Next("an answer to " + request.event)
			}
			var args []any
			if err := json.Unmarshal([]byte(answer[2:]), &args); err != nil || len(args) == 0 {
				t.Fatalf("%s is answered by %s", request.event, answer)
			}
			if want := answerOf(row.ack, rows, events); want == nil {
				t.Errorf("the answer to %q is not in the vocabulary: %s", request.event, row.ack)
			} else if differences := want.compare(args[len(args)-1], ""); len(differences) > 0 {
				t.Errorf("%s is answered by %s: %q, the vocabulary has %s", request.event, answer, differences, row.ack)
			}
		}
	})
}

// answerOf returns the shape of an answer, which may be named by that of another event, without a key.
func answerOf(ack string, rows, events map[string]vocabularyRow) shape {
	if other := regexp.MustCompile("^(?:ack )?as `([^`]+)`").FindStringSubmatch(ack); other != nil {
		s := answerOf(rows[other[1]].ack, rows, events)
		if missing := regexp.MustCompile("without `([^`]+)`").FindStringSubmatch(ack); missing != nil {
			delete(s, missing[1])
		}
		return s
	}
	if other := regexp.MustCompile("^the `([^`]+)` object").FindStringSubmatch(ack); other != nil {
		return parseShape(events[other[1]].args)
	}
	return parseShape(ack)
}

// The scenes of this test send every event that the vocabulary lists, except for those of a slow log.
func TestEventsAreThoseOfTheVocabulary(t *testing.T) {
	rows := readVocabulary(t, "Server -> client")
	seen := map[string]bool{}
	take := func(u *testUser) {
		t.Helper()
		u.Send(`299["status"]`)
		for {
			text := u.Next("an event")
			if strings.HasPrefix(text, "399") {
				return
			}
			var args []any
			if !strings.HasPrefix(text, "2") || json.Unmarshal([]byte(text[1:]), &args) != nil {
				continue // an answer
			}
			event := args[0].(string)
			row, ok := rows[event]
			if !ok {
				t.Errorf("the vocabulary has no event %s", text)
				continue
			}
			seen[event] = true
			checkEvent(t, row.args, args[1:], text)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		connect := func(replica int, auth string) *testUser {
			synctest.Wait()
			u := c.replicas[replica].dial("")
			u.Connect("/", auth)
			return u
		}
		old, today, token := connect(0, ""), connect(1, ""), ""
		old.Send(`21["nickname","Ann"]`)
		for token == "" {
			if _, detail, ok := strings.Cut(old.Next("the name is granted"), `"token":"`); ok {
				token, _, _ = strings.Cut(detail, `"`)
			}
		}
		today.Send(`2["add user","Bob"]`)
		synctest.Wait()
		guest := connect(1, "")
		guest.Send(`2["nickname","Cid"]`)
		for _, text := range []string{`2["user message","hi"]`, `2["typing"]`, `2["stop typing"]`, `2["join","go"]`,
			`2["user message",7]`, `2["rename","Anna"]`, `2["rooms"]`} {
			old.Send(text)
			synctest.Wait()
		}
		today.Send(`2["new message","hello"]`)
		today.Send(`2["typing"]`)
		synctest.Wait()
		take(today)
		take(old)
		guest.Close()
		time.Sleep(2 * time.Second)
		again := connect(1, `{"token":"`+token+`"}`)
		time.Sleep(time.Minute) // the guest is gone
		again.Send(`2["forget me"]`)
		synctest.Wait()
		for _, u := range []*testUser{again, today} {
			take(u)
		}
		for text := ""; !strings.HasPrefix(text, `2["replaced"`); {
			text = old.Next("it is replaced")
			if strings.HasPrefix(text, `2["away"`) {
				seen["away"] = true
			}
		}
		seen["replaced"] = true
	})
	for event := range rows {
		if !seen[event] && !slices.Contains(notProvoked, event) {
			t.Errorf("the event %q did not come", event)
		}
	}
}

// checkEvent compares the arguments of an event with its row: the object among them, and what is last, an id
// or an object.
func checkEvent(t *testing.T, row string, args []any, text string) {
	t.Helper()
	last := args[len(args)-1]
	_, isID := last.(string)
	if isID != regexp.MustCompile(`, id\b`).MatchString(row) && !strings.Contains(row, ", an id if ") {
		t.Errorf("%s ends in an id: %v, the vocabulary has %s", text, isID, row)
	}
	for i := len(args) - 1; i >= 0; i-- {
		if object, ok := args[i].(map[string]any); ok {
			if differences := compareShapes(row, object); len(differences) > 0 {
				t.Errorf("%s: %q, the vocabulary has %s", text, differences, row)
			}
			return
		}
	}
}

// compareShapes returns how an object differs from each object that a row names, nothing if it is one of them.
func compareShapes(row string, object map[string]any) (differences []string) {
	for rest := row; strings.Contains(rest, "{"); {
		s := parseShape(rest)
		if strings.HasPrefix(row, "refusal + ") {
			for key, f := range parseShape("{ok, code, message, wait?}") {
				s[key] = f
			}
		}
		these := s.compare(object, row)
		if len(these) == 0 {
			return nil
		}
		differences = append(differences, these...)
		_, rest, _ = strings.Cut(rest, "{")
	}
	return differences
}
