package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
)

// linesOf returns the texts and ids of the lines in an answer or event that contains a history.
func linesOf(t *testing.T, text string) (texts, ids []string) {
	t.Helper()
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(text[strings.Index(text, "["):]), &args); err != nil {
		t.Fatal(err)
	}
	for _, arg := range args {
		var history struct{ Messages []struct{ ID, Text string } }
		_ = json.Unmarshal(arg, &history) // the others are strings
		for _, l := range history.Messages {
			texts, ids = append(texts, l.Text), append(ids, l.ID)
		}
	}
	return texts, ids
}

// Clients that connect between two lines share a history, and those that connect later do not.
func TestHistoryIsThatOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCluster(t, 1, Options{}).replicas[0]
		ann := a.join("Ann")
		for _, want := range []string{"Ann connected", "Ann connected", "Ann connected; news"} {
			if strings.HasSuffix(want, "news") {
				ann.sent("news")
			}
			u := a.dial("")
			u.Connect("/", "")
			texts, _ := linesOf(t, u.nextLike("history", `2["history",`))
			if got := strings.Join(texts, "; "); got != want {
				t.Errorf("client is sent the history %q, want %q", got, want)
			}
			synctest.Wait()
		}
	})
}

func TestHistoryBeforeALineEndsAheadOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := newCluster(t, 1, Options{}).replicas[0].join("Ann")
		for _, text := range []string{"one", "two", "three"} {
			ann.sent(text)
		}
		ann.Send(`27["history",{"limit":2}]`)
		texts, ids := linesOf(t, ann.nextLike("the last ones", `37[`))
		if got := strings.Join(texts, "; "); got != "two; three" {
			t.Fatalf("the last two lines are %q, want two; three", got)
		}
		ann.Send(`28["history",{"limit":1,"before":"` + ids[0] + `"}]`)
		if texts, _ := linesOf(t, ann.nextLike("older ones", `38[`)); strings.Join(texts, "; ") != "one" {
			t.Errorf("the line before two is %q, want one", texts)
		}
	})
}

func TestClientThatLeavesTheChatHearsItsRoomsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		ann, bob := c.replicas[0].join("Ann"), c.replicas[1].join("Bob")
		for _, u := range []*testUser{ann, bob} {
			u.Send(`27["join","go"]`)
			u.nextLike("joined", `37[{"ok":true`)
		}
		ann.Send(`28["leave"]`)
		ann.nextLike("left", `38[{"ok":true`)
		synctest.Wait()
		bob.Send(`2["user message","among us",{"room":"go"}]`)
		bob.sent("for all")
		synctest.Wait()
		if got := strings.Join(ann.drain(), "; "); got != "Bob: for all" {
			t.Errorf("client without a name hears %q, want what is said in the lobby alone", got)
		}
	})
}
