// Package sqlfilter parses and evaluates the SQL subset of Service Bus subscription rules: filters,
// which are conditions over the properties of a message, and actions, which change properties. It
// follows "Subscription Rule SQL Filter Syntax" and "Subscription Rule SQL Action Syntax" of
// Microsoft's documentation.
//
// Conditions have three truth values. An absent user property is unknown, most operators yield unknown for an unknown
// operand, and a message matches only if the condition is true. A NULL, in the text or as the value of a property, is
// unknown as well.
//
// The documentation says only that operators follow C#. In this package numbers compare and combine
// as 64-bit integers, or as doubles if either is one; text compares by code point, letter case included, also in LIKE;
// + joins text with anything; times and time spans add, subtract and compare; everything else, like comparing text with
// a number or dividing an integer by zero, is an evaluation error.
package sqlfilter

// MaxLength bounds the text of a filter or an action, in characters ("Service Bus quotas").
const MaxLength = 1024

// maxActions bounds the statements of one action ("Service Bus quotas").
const maxActions = 32

// maxDepth bounds nesting, so that a hostile text can't exhaust the stack.
const maxDepth = 100

// Message provides the properties of a message. Values may be nil, bool, string, any integer or
// float type, time.Time and time.Duration. Filters can test values of other comparable types for
// equality only.
type Message interface {
	// User returns an application property. Names compare without regard to letter case.
	User(name string) (value any, exists bool)
	// System returns a property of the message itself, by its name in lower case. A known property that is not set
	// is nil. An unknown property does not exist, which makes the evaluation fail.
	System(name string) (value any, exists bool)
	// NewID returns a new GUID.
	NewID() any
}

// Editor is a message whose properties an action can change.
type Editor interface {
	Message
	SetUser(name string, value any)
	RemoveUser(name string)
	// SetSystem sets a property of the message itself, by its name in lower case; nil removes it.
	SetSystem(name string, value any) error
}

// Filter is a parsed condition. It may be used by several goroutines.
type Filter struct {
	root node
}

// Action is a parsed list of statements. It may be used by several goroutines.
type Action struct {
	statements []statement
}

// statement sets the target property, or removes it if value is nil.
type statement struct {
	target property
	value  node
}

// Parse parses a condition. parameters holds the values of its @names, with or without the @. Errors are of type
// *[SyntaxError].
func Parse(text string, parameters map[string]any) (*Filter, error) {
	p, err := newParser(text, parameters)
	if err != nil {
		return nil, err
	}
	root, err := p.predicate(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected("the end of the expression")
	}
	return &Filter{root}, nil
}

// ParseAction parses the statements of an action. Errors are of type *[SyntaxError].
func ParseAction(text string, parameters map[string]any) (*Action, error) {
	p, err := newParser(text, parameters)
	if err != nil {
		return nil, err
	}
	a := &Action{}
	for p.tok.kind != tokenEnd || len(a.statements) == 0 {
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		if len(a.statements) == maxActions {
			return nil, p.errorf("more than %d statements", maxActions)
		}
		a.statements = append(a.statements, s)
		for p.tok.is(";") {
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// Matches reports whether the condition is true for m, as opposed to false or unknown. It returns an error if the
// evaluation fails.
func (f *Filter) Matches(m Message) (bool, error) {
	v, err := f.root.eval(m)
	return err == nil && v.isTrue(), err
}

// Apply executes the statements in order. After an error the message may be partly changed.
func (a *Action) Apply(m Editor) error {
	for _, s := range a.statements {
		if err := s.apply(m); err != nil {
			return err
		}
	}
	return nil
}

// SystemProperties returns the names, in lower case, of the properties of the message itself that the action sets or
// removes.
func (a *Action) SystemProperties() []string {
	var names []string
	for _, s := range a.statements {
		if s.target.system {
			names = append(names, s.target.name)
		}
	}
	return names
}

func (s statement) apply(m Editor) error {
	if s.value == nil {
		if s.target.system {
			return m.SetSystem(s.target.name, nil)
		}
		m.RemoveUser(s.target.name)
		return nil
	}
	v, err := s.value.eval(m)
	if err != nil {
		return err
	}
	if s.target.system {
		return m.SetSystem(s.target.name, v.toGo())
	}
	was, _ := m.User(s.target.name)
	m.SetUser(s.target.name, v.convertedTo(was))
	return nil
}

// convertedTo returns v in the type of a property's old value if that is possible without loss, as SET does.
func (v value) convertedTo(was any) any {
	switch was.(type) {
	case int32:
		if v.kind == integer && int64(int32(v.n)) == v.n {
			return int32(v.n)
		}
	case int:
		if v.kind == integer {
			return int(v.n)
		}
	case float32:
		if v.kind == double {
			return float32(v.float())
		}
	case float64:
		if v.kind == integer {
			return float64(v.n)
		}
	case string:
		if v.kind == integer || v.kind == double || v.kind == boolean {
			return v.text()
		}
	}
	return v.toGo()
}

// evalError is a failure of evaluation.
type evalError string

func (e evalError) Error() string { return string(e) }
