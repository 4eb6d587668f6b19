// Package sqlfilter is the SQL subset of Service Bus subscription rules: filters, which are conditions over a message's
// properties, and actions, which change them. It follows "Subscription Rule SQL Filter Syntax" and "Subscription Rule
// SQL Action Syntax" of Microsoft's documentation.
//
// Conditions know three truth values: a user property that is absent is unknown, most operators give unknown for
// an unknown operand, and a message passes only if the condition is true. A NULL, in the text or as a property's value,
// is unknown as well.
//
// Where the documentation says only that operators follow C#, this is what they do here: numbers compare and combine
// as 64-bit integers, or as doubles if either is one; text compares by code point, letter case included, also in LIKE;
// + joins text with anything; times and time spans add, subtract and compare; everything else, like comparing text with
// a number or dividing an integer by zero, is an evaluation error.
package sqlfilter

// MaxLength is the most characters a filter or an action may have ("Service Bus quotas").
const MaxLength = 1024

// maxActions is the most statements one action may have ("Service Bus quotas").
const maxActions = 32

// maxDepth bounds nesting, so that hostile text cannot exhaust the stack.
const maxDepth = 100

// Message gives a filter the properties of a message. Values may be nil, bool, string, any integer or float type,
// time.Time and time.Duration; values of other comparable types can be tested for equality only.
type Message interface {
	// User returns an application property; names compare without regard to letter case.
	User(name string) (value any, exists bool)
	// System returns a property of the message itself, by its name in lower case. A property that is known but not
	// set is nil; one that is not known does not exist, which is an error to whoever asks.
	System(name string) (value any, exists bool)
	// NewID returns a new GUID.
	NewID() any
}

// Editor is a message that an action changes.
type Editor interface {
	Message
	SetUser(name string, value any)
	RemoveUser(name string)
	// SetSystem sets a property of the message itself, by its name in lower case; nil removes it.
	SetSystem(name string, value any) error
}

// Filter is a parsed condition. It may be used by many goroutines.
type Filter struct {
	root node
}

// Action is a parsed list of statements. It may be used by many goroutines.
type Action struct {
	statements []statement
}

// statement sets the target, or removes it if value is nil.
type statement struct {
	target property
	value  node
}

// Parse reads a condition. Parameters are the values of its @names, with or without the sign. Errors are of type
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

// ParseAction reads the statements of an action. Errors are of type *[SyntaxError].
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

// Matches reports whether the condition is true for m; false and unknown are not. The error says why it could not be
// evaluated.
func (f *Filter) Matches(m Message) (bool, error) {
	v, err := f.root.eval(m)
	return err == nil && v.isTrue(), err
}

// Apply carries out the statements in their order. After an error the message may be partly changed.
func (a *Action) Apply(m Editor) error {
	for _, s := range a.statements {
		if err := s.apply(m); err != nil {
			return err
		}
	}
	return nil
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

// convertedTo returns v as the type of a property's old value if that is possible without loss, as SET does.
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
