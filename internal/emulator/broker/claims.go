package broker

import "strings"

// Claims is the set of rights that a key or token gives. Manage includes the other two.
type Claims uint8

// The rights of Service Bus.
const (
	Listen Claims = 1 << iota
	Send
	manage
	Manage = manage | Send | Listen
)

// Has reports whether c includes all of want.
func (c Claims) Has(want Claims) bool { return c&want == want }

// String returns the names in the order of an AuthorizationRule, separated by commas.
func (c Claims) String() string {
	var names []string
	if c&manage != 0 {
		names = append(names, "Manage")
	}
	if c&Send != 0 {
		names = append(names, "Send")
	}
	if c&Listen != 0 {
		names = append(names, "Listen")
	}
	return strings.Join(names, ",")
}
