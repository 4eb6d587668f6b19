package chat

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// upkeep does what the chat wants to have done to the store, as the recorder does.
func (a *archive) upkeep() {
	a.t.Helper()
	r := a.cluster.replicas[0]
	u := r.Upkeep()
	ctx := a.t.Context()
	if u.Index > 0 {
		checkpoint, err := a.store.Checkpoint(ctx)
		if err != nil || checkpoint.Index < u.Index {
			a.t.Fatalf("checkpoint %v, %v, want one at %d", checkpoint, err, u.Index)
		}
		if err := a.store.DropEntries(ctx, checkpoint.Index); err != nil {
			a.t.Fatal(err)
		}
		if err := a.store.Rewrite(ctx, u.Through, u.Change); err != nil {
			a.t.Fatal(err)
		}
	}
	if !u.Before.IsZero() {
		if err := a.store.DropLines(ctx, u.Before); err != nil {
			a.t.Fatal(err)
		}
	}
	if err := r.UpkeepDone(u); err != nil {
		a.t.Fatal(err)
	}
	synctest.Wait()
}

// raw returns all bytes that the store has.
func (a *archive) raw() []byte {
	a.t.Helper()
	var raw bytes.Buffer
	ctx := a.t.Context()
	checkpoint, err := a.store.Checkpoint(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	raw.Write(checkpoint.Body)
	err = a.store.Entries(ctx, checkpoint.Index, func(e store.Entry) error {
		raw.Write(e.Body)
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	err = a.store.Rooms(ctx, func(room string) error {
		page, err := a.store.Lines(ctx, room, 0, 1000)
		for _, l := range page.Lines {
			raw.Write(l.Body)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw.Bytes()
}

// named connects a page with a name, by either endpoint.
func (r *replica) named(raw bool, name string) *page {
	p := r.visitor(raw)
	p.name(name)
	return p
}

func TestForgottenUserIsGoneEverywhere(t *testing.T) {
	for _, raw := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newArchive(t, 2, Options{Bounds: Bounds{RoomLines: 6}, MessageRate: -1, HistoryOnJoin: 3})
			here, there := a.cluster.replicas[0], a.cluster.replicas[1]
			ann, bob := here.named(raw, "Ann"), there.named(raw, "Bob")
			ann.name("Annabel")
			for i := range 6 {
				ann.ask("user message", fmt.Sprint("secret ", i))
				bob.ask("user message", fmt.Sprint("of bob ", i))
			}
			ann.ask("join", "garden")
			ann.ask("user message", "secret flower", map[string]any{"room": "garden"})
			a.save()
			before, _ := bob.all("lobby", 3)
			start := time.Now()
			if got := ann.ask("forget me"); !got.OK || got.By != start.Add(eraseWithin).UnixMilli() {
				t.Fatalf("forget me is answered by %+v, want it done within an hour", got)
			}
			synctest.Wait()
			_, args := bob.until("the others are told", "forgotten")
			if ids := args[0].(map[string]any)["ids"].([]any); len(ids) == 0 {
				t.Errorf("forgotten is %v, want the lines of the lobby", args)
			}
			after, _ := bob.all("lobby", 3)
			var got []string
			for _, l := range after {
				got = append(got, l.Kind+" "+l.From+l.Text)
				if l.Kind == "forgotten" && l.CID+l.Was+l.Instance != "" {
					t.Errorf("line %+v is forgotten, and says more", l)
				}
			}
			want := []string{"join BobBob connected"}
			for i := range 6 {
				want = append(want, "forgotten ", fmt.Sprint("message Bobof bob ", i))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("raw %v: history is %q, want %q", raw, got, want)
			}
			if before[len(before)-1].ID != after[len(after)-1].ID {
				t.Error("lines have other ids than before")
			}
			if got := ann.ask("user message", "more"); got.Code != "no_name" {
				t.Errorf("a forgotten user says something, answered by %+v", got)
			}
			a.save()
			a.upkeep()
			a.save() // the entry that says so
			for _, text := range []string{"Ann", "secret"} {
				if bytes.Contains(a.raw(), []byte(text)) {
					t.Errorf("the store has %q", text)
				}
			}
			if !bytes.Contains(a.raw(), []byte("of bob 0")) {
				t.Error("the store has lost what others said")
			}
			for _, r := range a.cluster.replicas {
				if u := r.Upkeep(); u.Index != 0 {
					t.Errorf("after the upkeep, %s wants %+v", r.name, u)
				}
			}
			if again, _ := bob.all("lobby", 3); !reflect.DeepEqual(again, after) {
				t.Errorf("from the store, history is %v, want %v", again, after)
			}
			a.cluster.agree()
		})
	}
}

// The token of a forgotten user leads to nobody, and a nickname that is claimed with it gets another one.
func TestForgottenTokenIsVoid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 1, Options{})
		r := a.cluster.replicas[0]
		ann := r.visitor(false)
		ann.Send(`21["nickname","Ann"]`)
		granted := ann.nextLike("granted", "31[")
		token := granted[strings.Index(granted, `"token":"`)+9:]
		token = token[:strings.IndexByte(token, '"')]
		if got := ann.ask("forget me"); !got.OK {
			t.Fatalf("forget me is answered by %+v", got)
		}
		if got := ann.ask("forget me"); got.Code != "no_name" {
			t.Errorf("forgetting twice is answered by %+v", got)
		}
		ann.Send(`22["nickname","Bob",{"token":"` + token + `"}]`)
		if got := ann.nextLike("granted", "32["); !strings.Contains(got, `"ok":true`) || strings.Contains(got, token) {
			t.Errorf("a claim with a void token is answered by %s, want another token", got)
		}
		if r.state.UserByToken(state.HashOf(token)) != nil {
			t.Error("the token has a user")
		}
	})
}

func TestForgettingCostsAsMuchAsARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := newCluster(t, 1, Options{}).replicas[0].visitor(false)
		for i := range roomsBurst {
			time.Sleep(time.Second / 2)
			ann.name(fmt.Sprint("Ann", i))
			if got := ann.ask("forget me"); !got.OK || got.By != time.Now().UnixMilli() {
				t.Fatalf("forgetting %d without a store is answered by %+v, want it done at once", i, got)
			}
		}
		ann.name("Ann")
		for range 3 {
			if got := ann.ask("forget me"); got.Code == "too_fast" {
				return
			}
			ann.name("Ann")
		}
		t.Error("forgetting has no limit")
	})
}

// Lines are dropped at the age that an instance's options say, from memory and store, on all instances.
func TestOldLinesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, 2, Options{Bounds: Bounds{RoomLines: 3}, MessageRate: -1, Retention: 10 * time.Minute})
		ann := a.cluster.replicas[0].named(false, "Ann")
		for i := range 8 {
			ann.ask("user message", fmt.Sprint("m", i))
			time.Sleep(time.Minute)
		}
		bob := a.cluster.replicas[1].named(false, "Bob")
		a.save()
		time.Sleep(5*time.Minute + 30*time.Second)
		synctest.Wait()
		lines, last := bob.all("lobby", 2)
		now := time.Now()
		if age := now.Sub(time.UnixMilli(lines[0].Time)); age > 12*time.Minute || !last.Dropped || len(lines) < 5 {
			t.Errorf("history has %d lines, the oldest of %v ago, dropped: %v; want those of 10 minutes", len(lines),
				age, last.Dropped)
		}
		a.save()
		a.upkeep()
		if page, err := a.store.Lines(t.Context(), "lobby", 0, 100); err != nil || len(page.Lines) != len(lines) {
			t.Errorf("the store has %d lines, %v, want %d", len(page.Lines), err, len(lines))
		}
		a.cluster.agree()
		time.Sleep(20 * time.Minute)
		if lines, last := bob.all("lobby", 2); len(lines) != 0 || !last.Dropped {
			t.Errorf("20 minutes later history is %v, dropped: %v; want nothing", lines, last.Dropped)
		}
	})
}
