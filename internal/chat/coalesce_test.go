package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
)

// coalesceFromNow makes lines of users joining and leaving wait for a while, and be grouped.
func (c *Chat) coalesceFromNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines.budget.wait(time.Now(), 0)
	c.lines.budget.spend(announcementsPerSecond)
	c.lines.grouped = true
}

// news takes what a page receives until an event with the name given. It returns the announcements line by line, as
// "id kind name", and their number.
func (p *page) news(until string) (lines []string, announcements int) {
	p.t.Helper()
	for {
		event, args := p.take("news")
		if event == until {
			return lines, announcements
		}
		if event != "announcement" {
			continue
		}
		announcements++
		meta := args[1].(map[string]any)
		names, several := meta["names"].([]any)
		if !several {
			lines = append(lines, fmt.Sprint(meta["id"], meta["kind"], meta["name"]))
		}
		for i := range names {
			lines = append(lines, fmt.Sprint(meta["ids"].([]any)[i], meta["kind"], names[i]))
		}
	}
}

// All clients receive the same lines, in the same order and with the same ids, in far fewer announcements than
// there are users. Each instance groups them differently.
func TestThousandsOfUsersAreAnnouncedInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people = 2400
		c := newCluster(t, 2, Options{})
		pages := []*page{{}, {}, {raw: true}}
		for i, p := range pages {
			p.open(&c.replicas[i%2].site)
			p.until("how the cluster is", "status")
		}
		c.replicas[1].coalesceFromNow()
		come := func(from, to int) {
			for i := from; i < to; i++ {
				c.put("z", claimOf(uint64(i), fmt.Sprint("Guest ", i)))
			}
		}
		come(0, people/2)
		time.Sleep(70 * time.Millisecond)
		c.replicas[0].coalesceFromNow()
		for i := range people / 4 {
			c.put("z", state.Command{Action: &state.LeaveChat{}, Conn: uint64(i)})
		}
		come(people/2, people)
		time.Sleep(2 * rosterPatience)
		bob := c.replicas[0].dial("")
		bob.Connect("/", "")
		bob.Send(`21["nickname","Bob"]`)
		synctest.Wait()
		bob.Send(`2["user message","all here?"]`)
		var first []string
		for i, p := range pages {
			lines, announcements := p.news("user message")
			if i == 0 {
				first = lines
			}
			if want := people + people/4 + 1; len(lines) != want || announcements > want*2/3 {
				t.Errorf("page %d received %d lines in %d announcements, want %d in far fewer",
					i, len(lines), announcements, want)
			}
			if !slices.Equal(lines, first) {
				t.Errorf("page %d received other lines than the first", i)
			}
		}
		c.agree()
	})
}

// If three hundred users join at once, and a hundred of them leave at once, each of them is announced separately.
func TestHundredsOfUsersAreAnnouncedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people, gone, listeners = 300, 100, 300
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		p := &page{}
		p.open(&a.site)
		p.until("how the cluster is", "status")
		// The others cost the chat as much as if they were here, and the test nothing.
		a.mu.Lock()
		a.local.rooms[state.Lobby].listeners[state.V09] += listeners - 1
		a.mu.Unlock()
		for i := range people {
			c.put("z", claimOf(uint64(i), fmt.Sprint("Guest ", i)))
		}
		time.Sleep(2 * rosterPatience)
		for i := range gone {
			c.put("z", state.Command{Action: &state.LeaveChat{}, Conn: uint64(i)})
		}
		time.Sleep(2 * rosterPatience)
		bob := a.dial("")
		bob.Connect("/", "")
		bob.Send(`21["nickname","Bob"]`)
		synctest.Wait()
		bob.Send(`2["user message","all here?"]`)
		lines, announcements := p.news("user message")
		if want := people + gone + 1; len(lines) != want || announcements != want {
			t.Errorf("received %d lines in %d announcements, want %d in as many", len(lines), announcements, want)
		}
	})
}

func TestFewUsersAreAnnouncedAtOnceInALargeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		bob := a.join("Bob")
		for range 100 {
			a.visit("")
		}
		for i := range 60 {
			name := fmt.Sprint("Guest ", i)
			c.put("z", claimOf(uint64(i), name))
			synctest.Wait()
			bob.Want("announced at once", `2["announcement","`+name+` connected",{"kind":"join","name":"`+name+
				`","room":"lobby","users":*,"time":*,"id":"*"},"*"]`)
			bob.Want("with the list", `2["nicknames",{*},*]`)
			time.Sleep(30 * time.Millisecond)
		}
	})
}

func TestGroupLeavesOutItsReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		observer := a.join("Observer")
		names := []string{"Ann", "Bob", "Carl", "Dora"}
		var users []*testUser
		for range names {
			users = append(users, a.visit(""))
		}
		v4 := a.visit("")
		v4.Send(`2["add user","Mo"]`)
		v4.Want("login", `2["login",*`)
		synctest.Wait()
		observer.announcements()
		for _, u := range users {
			u.announcements()
		}
		come := func(count int) {
			a.coalesceFromNow()
			for i := range count {
				users[i].Send(`21["nickname","` + names[i] + `"]`)
				users[i].Want("named at once", `31[false,{"ok":true,*`)
				users[i].Want("session", `2["session",{*"name":"`+names[i]+`",*`)
				users[i].WantNothing("lines wait", time.Millisecond)
			}
			time.Sleep(2 * time.Second)
		}
		want := func(u *testUser, text string) {
			t.Helper()
			if got := strings.Join(u.announcements(), "; "); got != text {
				t.Errorf("received %q, want %q", got, text)
			}
		}
		come(4)
		v4.Want("a group in the 4.x protocol",
			`2["user joined",{"username":"Ann and 3 others","numUsers":6,"names":["Ann","Bob","Carl","Dora"]},"*"]`)
		want(users[0], "Bob and 2 others connected")
		want(users[1], "Ann and 2 others connected")
		want(users[2], "Ann and 2 others connected")
		observer.Want("others", `2["announcement","Ann and 3 others connected",{"kind":"join","name":"Ann",`+
			`"room":"lobby","users":6,"time":*,"id":"*",`+
			`"names":["Ann","Bob","Carl","Dora"],"ids":["*","*","*","*"]},"*"]`)
		observer.Want("and once it is over the list", `2["nicknames",{"Ann":"Ann",*},{"room":"lobby","users":6}]`)
		a.coalesceFromNow()
		users[0].Send(`22["leave"]`)
		synctest.Wait() // so that the other one leaves after it
		users[1].Send(`22["leave"]`)
		time.Sleep(2 * time.Second)
		want(observer, "Ann and Bob disconnected")
		want(users[0], "Bob disconnected")
		want(users[1], "Ann disconnected")
		want(users[2], "Ann and Bob disconnected")
		come(2)
		want(users[1], "Ann connected")
		want(users[3], "Ann and 2 others connected; Ann and Bob disconnected; Ann and Bob connected")
	})
}

func TestNoLineOvertakesWaitingOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		observer, bob := a.join("Observer"), a.join("Bob")
		synctest.Wait()
		observer.announcements()
		a.coalesceFromNow()
		c.put("z", claimOf(1, "Ann"))
		c.put("z", claimOf(2, "Carl"))
		observer.WantNothing("they wait", 10*time.Millisecond)
		bob.Send(`2["user message","hello"]`)
		observer.Want("they are sent", `2["announcement","Ann and Carl connected",*]`)
		observer.Want("before the message", `2["user message","Bob","hello",*]`)
		c.put("z", claimOf(3, "Dora"))
		bob.Send(`2["rename","Bobby"]`)
		observer.Want("a single line as always", `2["announcement","Dora connected",{"kind":"join","name":"Dora",`+
			`"room":"lobby","users":5,"time":*,"id":"*"},"*"]`)
		observer.Want("before the rename", `2["announcement","Bob is now called Bobby",*]`)
	})
}

// A client that connects while lines wait receives what was sent before, and then the rest like everybody else.
// A client that has received more elsewhere does not receive it again.
func TestClientConnectsWhileLinesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, Options{})
		a, b := c.replicas[0], c.replicas[1]
		p := &page{}
		p.open(&b.site)
		p.name("Page")
		bob := a.join("Bob")
		p.until("bob", "nicknames")
		observer := a.visit("")
		synctest.Wait()
		a.coalesceFromNow()
		c.put("z", claimOf(1, "Ann"))
		p.until("sent by the other instance", "nicknames")
		late := a.dial("")
		late.Connect("/", "")
		late.Want("session", `2["session",*`)
		late.Want("history up to what was sent",
			`2["history","lobby",{"messages":[*"text":"Bob connected"}],"more":false},"*"]`)
		late.Want("status", `2["status",*`)
		late.Send(`25["history"]`)
		late.Want("also on request",
			`35[{"ok":true,"room":"lobby","messages":[*"text":"Bob connected"}],"more":false}]`)
		observer.WantNothing("it still waits", time.Millisecond)
		offset := p.offset
		p.Close()
		if !p.open(&a.site) {
			t.Fatal("page was not recovered")
		}
		messages, _ := p.until("how the cluster is", "status")
		if len(messages) > 0 || p.offset != offset {
			t.Errorf("page that had received more elsewhere receives %q, up to %q, want nothing more than up to %q",
				messages, p.offset, offset)
		}
		observer.Want("the others receive it", `2["announcement","Ann connected",*]`)
		late.Want("so does the new one", `2["announcement","Ann connected",*]`)
		bob.Want("and the named one", `2["announcement","Ann connected",*]`)
	})
}

// A roster that falls due while rosters are deferred waits with the others, and is never forgotten. A client that joins
// while others keep joining receives the roster after a while.
func TestDeferredRostersAreSentInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, Options{})
		a := c.replicas[0]
		bob := a.join("Bob")
		carl := a.visit("")
		synctest.Wait()
		bob.announcements()
		a.mu.Lock()
		a.rosters.scheduleLocked(a.local.rooms[state.Lobby], time.Now().Add(100*time.Millisecond))
		a.mu.Unlock()
		start := time.Now()
		carl.Send(`21["nickname","Carl"]`)
		named := false
		for n := uint64(0); !named; n++ {
			a.coalesceFromNow()
			c.put("z", claimOf(n, fmt.Sprint("Guest ", n)))
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
			carl.Send(`29["rooms"]`)
			for text := ""; !strings.HasPrefix(text, "39["); {
				text = carl.Next("events")
				named = named || strings.HasPrefix(text, `2["nicknames",`)
			}
			if time.Since(start) > 2*rosterPatience {
				t.Fatalf("client has no roster after %v", time.Since(start))
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		bob.Send(`29["status"]`)
		list := ""
		for text := ""; !strings.HasPrefix(text, "39["); text = bob.Next("events") {
			if strings.HasPrefix(text, `2["nicknames"`) {
				list = text
			}
		}
		if want := a.state.Size().Users; strings.Count(list, `":"`)-1 != want {
			t.Errorf("the last list is %s, want %d names", list, want)
		}
	})
}

func TestLinesAreGroupedByRoomAndKind(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		{"lobby+1", "lobby+1@1"},
		{"lobby+1 lobby+2 lobby-3 lobby+4", "lobby+1,2@2 lobby-3@3 lobby+4@4"},
		{"lobby+1 go+2 lobby+3 go+4", "go+2,4@ lobby+1,3@4"},
		{"lobby+1 lobby-2 go+3", "go+3@ lobby+1@ lobby-2@3"},
		{"go+1 go+2 js+3 go+4", "go+1,2@2 js+3@3 go+4@4"},
	} {
		var lines []waitingLine
		for _, word := range strings.Fields(test.lines) {
			i := strings.IndexAny(word, "+-")
			l := state.Line{Kind: state.JoinLine, Seq: uint64(word[i+1] - '0')}
			if word[i] == '-' {
				l.Kind = state.LeaveLine
			}
			lines = append(lines, waitingLine{room: word[:i], line: l})
		}
		var got []string
		for _, r := range groupLines(lines) {
			kind := map[state.LineKind]string{state.JoinLine: "+", state.LeaveLine: "-"}[r.lines[0].line.Kind]
			text := r.lines[0].room + kind
			for i := range r.lines {
				text += fmt.Sprint(r.lines[i].line.Seq, ",")
			}
			_, offset, _ := strings.Cut(r.offset, ".")
			offset, _, _ = strings.Cut(offset, ".")
			got = append(got, strings.TrimSuffix(text, ",")+"@"+offset)
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("groupLines(%s) = %s, want %s", test.lines, got, test.want)
		}
	}
}
