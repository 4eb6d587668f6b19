package chat

import (
	"fmt"
	"time"
)

const (
	statusEvery = 5 * time.Second        // the cluster is looked at
	statusDelay = 500 * time.Millisecond // after an instance has gone: others may go with it
)

// sessionInfo tells a client who it is here.
type sessionInfo struct {
	Instance  string   `json:"instance"`
	Name      string   `json:"name,omitempty"`
	Rooms     []string `json:"rooms,omitempty"`
	Recovered bool     `json:"recovered"`
	Token     string   `json:"token,omitempty"` // for who got his name without asking
	Code      string   `json:"code,omitempty"`  // why there is no name
	Message   string   `json:"message,omitempty"`
	Limits    limits   `json:"limits"`
}

// limits are what a page can tell its user before he meets them, in grapheme clusters; 0: none.
type limits struct {
	Message  int `json:"message"`
	Nickname int `json:"nickname"`
}

// emitSession tells a client who it is. The offset makes a client that has heard nothing yet recoverable.
func (c *Chat) emitSession(cl *client, rooms []string, recovered bool, why code) {
	c.emitSessionToken(cl, rooms, recovered, why, "")
}

// emitSessionToken is emitSession with a resume token.
func (c *Chat) emitSessionToken(cl *client, rooms []string, recovered bool, why code, token string) {
	s := sessionInfo{Instance: c.backplane.Instance, Recovered: recovered, Code: refusals[why].Code, Message: refusals[why].Message,
		Limits: limits{max(c.options.MaxMessageLength, 0), c.options.MaxNicknameLength}}
	if cl.name.key != "" {
		s.Name, s.Rooms, s.Token = cl.name.name, rooms, token
	}
	if len(cl.rooms) == 0 {
		// It listens to nothing yet: what it has missed follows.
		c.emit(cl, "session", s)
		return
	}
	c.emit(cl, "session", s, c.told().String())
}

type statusInfo struct {
	Instance  string         `json:"instance"`
	Ready     bool           `json:"ready"`
	CutOff    bool           `json:"cutOff"`
	Why       string         `json:"why,omitempty"`
	Latency   float64        `json:"latency"` // ms
	Instances []instanceInfo `json:"instances"`
}

type instanceInfo struct {
	Name  string `json:"name"`
	Self  bool   `json:"self,omitempty"`
	Heard int64  `json:"heard,omitempty"` // ms ago
	Users int    `json:"users"`           // connected there, about
}

// usersEvery is how old the numbers of users may be: they are counted one by one, and many clients may come at once.
const usersEvery = time.Second

// usersAt counts the users who are connected to each instance.
func (c *Chat) usersAt() map[string]int {
	now := time.Now()
	if c.users == nil || now.Sub(c.usersCounted) >= usersEvery {
		c.users, c.usersCounted = make(map[string]int), now
		for _, u := range c.state.users {
			if u.status == connected {
				c.users[u.at().Instance]++
			}
		}
	}
	return c.users
}

func (c *Chat) status() statusInfo {
	cluster := c.backplane.Cluster()
	s := statusInfo{Instance: c.backplane.Instance, Ready: cluster.Ready, CutOff: c.cutOff || cluster.CutOff, Why: cluster.Why,
		Latency: float64(cluster.Latency.Microseconds()) / 1000, Instances: []instanceInfo{}}
	for _, i := range cluster.Instances {
		info := instanceInfo{Name: i.Name, Self: i.Self, Users: c.usersAt()[i.Name]}
		if !i.Self && !i.Heard.IsZero() {
			info.Heard = time.Since(i.Heard).Milliseconds()
		}
		s.Instances = append(s.Instances, info)
	}
	return s
}

func (c *Chat) emitStatus(cl *client) { c.emit(cl, "status", c.status()) }

// onStatus answers with the status, or sends it.
func (c *Chat) onStatus(r *request) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.allowed(r):
	case r.WantsAck():
		c.check(r.Ack(c.status()))
	default:
		c.emitStatus(r.client)
	}
}

// showStatus tells everybody here how the cluster is.
func (c *Chat) showStatus() {
	s := c.status()
	c.shown = s.outline()
	c.check(c.nsp.Emit("status", s))
}

// outline is what has to change for clients to be told.
func (s *statusInfo) outline() string {
	names := make([]string, len(s.Instances))
	for i := range s.Instances {
		names[i] = s.Instances[i].Name
	}
	return fmt.Sprint(s.Ready, s.CutOff, s.Why, names)
}

// lookAtCluster tells everybody here how the cluster is, if it is otherwise than they were told.
func (c *Chat) lookAtCluster() {
	s := c.status()
	if c.shown == "" {
		c.shown = s.outline() // clients were told when they came
	}
	if s.outline() != c.shown {
		c.showStatus()
	}
}
