package chat

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

// cluster is replicas of the chat in one process, joined by a log in memory.
type cluster struct {
	t        testing.TB
	replicas []*replica

	mu      sync.Mutex
	changed *sync.Cond
	entries []Entry
	foreign uint64 // entries of instances that are not replicas
	gone    string // a replica that is no longer a member
	joining string // a replica that is not in sync
	ended   bool
}

// replica is one instance.
type replica struct {
	*Chat
	site
	cluster *cluster

	// Guarded by cluster.mu.
	paused bool   // takes nothing from the log
	full   bool   // the log takes nothing from it
	filled string // the account that it takes nothing of; "": none
	slow   bool   // what it appends stays on its way until release
	onWay  [][]byte
	next   int
	number uint64
	asked  []string // suspects

	accounts []string // of what it has appended for clients
}

var errFull = errors.New("log is full")

// newCluster starts replicas named a, b, c ... within a bubble of synctest.
func newCluster(t testing.TB, n int, o Options) *cluster {
	return newClusterOver(t, n, o, engineio.Options{})
}

func newClusterOver(t testing.TB, n int, o Options, transport engineio.Options) *cluster {
	c := &cluster{t: t}
	c.changed = sync.NewCond(&c.mu)
	var appliers sync.WaitGroup
	for i := range n {
		site := site{t: t, name: string(rune('a' + i))}
		c.replicas = append(c.replicas, &replica{Chat: New(o), site: site, cluster: c})
	}
	for _, r := range c.replicas {
		server := socketio.NewServer(socketio.Options{Recovery: r.Recovery()})
		r.Attach(server.Of("/"), Backplane{Instance: r.name, Log: r, Suspect: r.suspected, Cluster: c.members(r.name)})
		r.host = socketiotest.Pipe(t, server, transport)
		appliers.Go(r.apply)
	}
	t.Cleanup(func() {
		c.mu.Lock()
		c.ended = true
		c.changed.Broadcast()
		c.mu.Unlock()
		appliers.Wait()
		for _, r := range c.replicas {
			r.Close()
		}
	})
	return c
}

func (c *cluster) members(self string) func() Cluster {
	return func() Cluster {
		all := Cluster{Ready: true, Latency: 1500 * time.Microsecond}
		c.mu.Lock()
		defer c.mu.Unlock()
		all.Ready = self != c.joining
		for _, r := range c.replicas {
			if r.name == c.gone {
				continue
			}
			all.Instances = append(all.Instances, Instance{Name: r.name, Self: r.name == self})
		}
		return all
	}
}

// Append implements Log.
func (r *replica) Append(body []byte) error {
	r.cluster.mu.Lock()
	defer r.cluster.mu.Unlock()
	if r.full {
		return errFull
	}
	if r.slow {
		r.onWay = append(r.onWay, body)
		return nil
	}
	r.putLocked(body)
	return nil
}

// AppendFor implements Log.
func (r *replica) AppendFor(body []byte, account, _ string) error {
	r.cluster.mu.Lock()
	r.accounts = append(r.accounts, account)
	refuses := account != "" && account == r.filled
	r.cluster.mu.Unlock()
	if refuses {
		return errFull
	}
	return r.Append(body)
}

// release lets arrive what is on its way.
func (r *replica) release() {
	for _, body := range r.onWay {
		r.putLocked(body)
	}
	r.slow, r.onWay = false, nil
}

func (r *replica) putLocked(body []byte) {
	r.number++
	r.cluster.entries = append(r.cluster.entries, Entry{Instance: r.name, Epoch: 1, Number: r.number,
		Time: time.Now().UnixMilli(), Body: body})
	r.cluster.changed.Broadcast()
}

func (r *replica) suspected(instance string) {
	r.cluster.mu.Lock()
	defer r.cluster.mu.Unlock()
	r.asked = append(r.asked, instance)
}

// apply applies the log until the cluster ends.
func (r *replica) apply() {
	c := r.cluster
	for {
		c.mu.Lock()
		for !c.ended && (r.paused || r.next == len(c.entries)) {
			c.changed.Wait()
		}
		if c.ended {
			c.mu.Unlock()
			return
		}
		e := c.entries[r.next]
		r.next++
		e.Index = uint64(r.next)
		c.mu.Unlock()
		if e.Body == nil {
			r.Gone(e, e.Instance)
		} else {
			r.Apply(e)
		}
	}
}

// set changes something of a replica under the lock, and lets it go on if it waited.
func (r *replica) set(f func(*replica)) {
	r.cluster.mu.Lock()
	defer r.cluster.mu.Unlock()
	f(r)
	r.cluster.changed.Broadcast()
}

// put puts a command of an instance that is not a replica into the log.
func (c *cluster) put(instance string, command state.Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foreign++
	c.entries = append(c.entries, Entry{Instance: instance, Epoch: 1, Number: c.foreign, Time: time.Now().UnixMilli(),
		Body: command.Encode()})
	c.changed.Broadcast()
}

// evict puts the end of an instance into the log.
func (c *cluster) evict(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = append(c.entries, Entry{Instance: instance, Epoch: 2, Number: 1, Time: time.Now().UnixMilli()})
	c.changed.Broadcast()
}

// agree checks that all replicas have come to the same state.
func (c *cluster) agree() {
	c.t.Helper()
	synctest.Wait()
	first := string(c.replicas[0].Snapshot())
	for _, r := range c.replicas[1:] {
		if string(r.Snapshot()) != first {
			c.t.Errorf("state of replica %s differs from that of %s", r.name, c.replicas[0].name)
		}
	}
}

// claimOf is the claim of a nickname by a socket of an instance that is not a replica.
func claimOf(conn uint64, name string) state.Command {
	return state.Command{Conn: conn, Action: &state.Claim{Name: name, Key: strings.ToLower(name),
		Token: state.HashOf(name), Client: state.HashOf("client of " + name),
		SID: fmt.Sprint("sid", conn), HoldMillis: 30_000, RoomLimit: 3}}
}
