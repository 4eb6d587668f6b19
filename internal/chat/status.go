package chat

import (
	"fmt"
	"time"

	"chatapp/internal/chat/state"
)

const (
	statusEvery     = 5 * time.Second        // how often the cluster is looked at
	statusAfterGone = 500 * time.Millisecond // after an instance has gone: others may go with it
	usersEvery      = time.Second            // how old the numbers of users may be
)

// clusterStatus sends clients how the cluster is. Chat.mu guards it.
type clusterStatus struct {
	*core
	local *localClients

	cutOff  bool
	sent    string         // the outline of what clients were sent last; "": nothing
	users   map[string]int // by instance, see usersAtLocked
	counted time.Time      // when users was
}

// statusInfo is the argument of "status".
type statusInfo struct {
	Instance  string         `json:"instance"`
	Ready     bool           `json:"ready"`
	CutOff    bool           `json:"cutOff"`
	Why       string         `json:"why,omitempty"`
	Unsaved   string         `json:"unsaved,omitempty"`
	Latency   float64        `json:"latency"` // ms
	Instances []instanceInfo `json:"instances"`
}

type instanceInfo struct {
	Name  string `json:"name"`
	Self  bool   `json:"self,omitempty"`
	Heard int64  `json:"heard,omitempty"` // ms ago
	Users int    `json:"users"`           // connected there, about
}

// usersAtLocked returns how many users are connected to each instance. It counts them at most once in usersEvery,
// because many clients may connect at once.
func (c *clusterStatus) usersAtLocked() map[string]int {
	now := time.Now()
	if c.users == nil || now.Sub(c.counted) >= usersEvery {
		c.users, c.counted = make(map[string]int), now
		for u := range c.state.Users() {
			if u.Status() == state.Connected {
				c.users[u.Conn().Instance]++
			}
		}
	}
	return c.users
}

func (c *clusterStatus) infoLocked() statusInfo {
	cluster := c.backplane.Cluster()
	unsaved, _ := c.backplane.Unsaved()
	s := statusInfo{Instance: c.local.instance, Ready: cluster.Ready, CutOff: c.cutOff || cluster.CutOff,
		Why: cluster.Why, Unsaved: unsaved,
		Latency: float64(cluster.Latency.Microseconds()) / 1000, Instances: []instanceInfo{}}
	for _, i := range cluster.Instances {
		info := instanceInfo{Name: i.Name, Self: i.Self, Users: c.usersAtLocked()[i.Name]}
		if !i.Self && !i.Heard.IsZero() {
			info.Heard = time.Since(i.Heard).Milliseconds()
		}
		s.Instances = append(s.Instances, info)
	}
	return s
}

// outline returns what has to change for all clients to be sent the status again.
func (s *statusInfo) outline() string {
	names := make([]string, len(s.Instances))
	for i := range s.Instances {
		names[i] = s.Instances[i].Name
	}
	return fmt.Sprint(s.Ready, s.CutOff, s.Why, s.Unsaved, names)
}

func (c *clusterStatus) broadcastLocked() {
	s := c.infoLocked()
	c.sent = s.outline()
	c.out.broadcastToAll("status", s)
}

// checkLocked sends all clients the status if it differs from what they were sent.
func (c *clusterStatus) checkLocked(time.Time) {
	s := c.infoLocked()
	if c.sent == "" {
		c.sent = s.outline() // clients receive it when they connect
	}
	if s.outline() != c.sent {
		c.broadcastLocked()
	}
}

// watchLocked checks the cluster now and from then on.
func (c *clusterStatus) watchLocked(now time.Time) {
	c.checkLocked(now)
	c.timers.Add(now.Add(statusEvery), c.watchLocked)
}

// CutOff tells the chat whether its entries reach the other instances, and the chat tells the clients.
func (c *Chat) CutOff(cut bool) {
	c.mu.Lock()
	defer c.unlock()
	c.status.cutOff = cut
	c.status.broadcastLocked()
}

// ClusterChanged makes the chat call Backplane.Cluster and send clients what has changed. Without it, that takes up to
// five seconds.
func (c *Chat) ClusterChanged() {
	c.mu.Lock()
	defer c.unlock()
	c.status.checkLocked(time.Now())
}

// onStatus replies with the status, or emits it to a client that wants no reply.
func (c *clusterStatus) onStatus(r *request) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.local.allowLocked(r, c.local.takeRequest):
	case r.ack.Wanted():
		c.out.reply(r.ack, c.infoLocked())
	default:
		c.out.emit(r.client, "status", c.infoLocked())
	}
}
