package chat

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"chatapp/internal/socketio"
)

// signedIn returns the nickname of a person whom somebody in front of this server has signed in; nil where nobody does. It is cut and
// cleaned to a legal nickname rather than refused: the person has not typed it.
func (c *Chat) signedIn(s *socketio.Socket) *nickname {
	if c.options.SignedIn == nil {
		return nil
	}
	typed := c.options.SignedIn(s)
	name, why := parseNickname(typed, c.options.MaxNicknameLength)
	if why != accepted {
		name, _ = parseNickname(trimName(typed, c.options.MaxNicknameLength), c.options.MaxNicknameLength)
	}
	if name.key == "" {
		return nil
	}
	return &name
}

// trimName leaves of a name what a nickname may have, and no more of it than it may have.
func trimName(typed string, maxLength int) string {
	legal := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case allowedInName(r):
			return r
		}
		return -1
	}, typed)
	legal = strings.Join(strings.Fields(legal), " ")
	end := 0
	for graphemes, n := uniseg.NewGraphemes(legal), 0; n < maxLength && graphemes.Next(); n++ {
		if _, to := graphemes.Positions(); to <= maxNameBytes {
			end = to
		}
	}
	return legal[:end]
}

// isOrVariant reports that a name is another or one of its variants, such as "Ann 2" of "Ann".
func (n nickname) isOrVariant(of nickname) bool {
	rest, found := strings.CutPrefix(n.key, of.key)
	if !found {
		return false
	}
	return strings.Trim(rest, " 0123456789") == ""
}

// claimSignedIn claims the name of a person who is signed in. Another of his windows may have it: then this one gets a variant.
func (c *Chat) claimSignedIn(cl *client) {
	p := c.newClaim(cl, *cl.fixed, newSecret(), false)
	p.command.Variant = true
	p.event = "nickname"
	if c.append(p) != nil {
		c.emitSession(cl, cl.rooms, false, overloaded)
	}
}

// mayBeCalled reports that a client may ask for a name: one who is signed in may only ask for his own.
func (cl *client) mayBeCalled(name nickname) bool {
	return cl.fixed == nil || name.isOrVariant(*cl.fixed)
}
