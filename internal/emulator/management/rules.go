package management

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

type ruleXML struct {
	Filter *filterXML
	Action *actionXML
	Name   string
}

type filterXML struct {
	Type string `xml:"type,attr"` // i:type

	SQLExpression string `xml:"SqlExpression"`
	Parameters    pairsXML

	CorrelationID    string `xml:"CorrelationId"`
	MessageID        string `xml:"MessageId"`
	To               string
	ReplyTo          string
	Label            string
	SessionID        string `xml:"SessionId"`
	ReplyToSessionID string `xml:"ReplyToSessionId"`
	ContentType      string
	Properties       pairsXML
}

type actionXML struct {
	Type          string `xml:"type,attr"` // i:type
	SQLExpression string `xml:"SqlExpression"`
	Parameters    pairsXML
}

type pairsXML struct {
	Pairs []struct {
		Key   string
		Value struct {
			Type string `xml:"type,attr"` // i:type, a name of XML Schema with a prefix
			Text string `xml:",chardata"`
		}
	} `xml:"KeyValueOfstringanyType"`
}

// emptyAction is the element for a rule without an action, which the Go SDK requires.
const emptyAction = "EmptyRuleAction"

func (r *request) rules() *collection[broker.RuleDescription, broker.RuleDescription] {
	b, topic, sub := r.broker(), r.resource.entity, r.resource.subscription
	return &collection[broker.RuleDescription, broker.RuleDescription]{
		title: "Rules", path: r.resource.path() + "/Rules/",
		describe: func(c content) (d broker.RuleDescription, name string, err error) {
			if c.Rule == nil {
				return d, "", badRequest("The body of the request contains no RuleDescription.")
			}
			d, err = c.Rule.description()
			d.Name = cmp.Or(r.resource.rule, d.Name, broker.DefaultRuleName)
			return d, d.Name, err
		},
		create: func(d broker.RuleDescription) error { return b.CreateRule(topic, sub, d) },
		update: func(d broker.RuleDescription) error { return b.UpdateRule(topic, sub, d) },
		remove: func(name string) error { return b.DeleteRule(topic, sub, name) },
		find:   r.findRule,
		all:    func() ([]broker.RuleDescription, error) { return b.Rules(topic, sub) },
		entry:  r.ruleEntry,
	}
}

func (r *request) findRule(name string) (broker.RuleDescription, error) {
	rules, err := r.broker().Rules(r.resource.entity, r.resource.subscription)
	if err != nil {
		return broker.RuleDescription{}, err
	}
	for _, d := range rules {
		if strings.EqualFold(d.Name, name) {
			return d, nil
		}
	}
	text := fmt.Sprintf("The messaging entity '%s/Rules/%s' could not be found.", r.resource.path(), name)
	return broker.RuleDescription{}, &broker.Error{Code: broker.CodeNotFound, Text: text}
}

func (x *ruleXML) description() (broker.RuleDescription, error) {
	d := broker.RuleDescription{Name: x.Name}
	var err error
	if x.Filter != nil {
		if d.Filter, err = x.Filter.filter(); err != nil {
			return d, err
		}
	}
	if x.Action == nil {
		return d, nil
	}
	switch x.Action.Type {
	case emptyAction, "":
	case "SqlRuleAction":
		if x.Action.SQLExpression == "" {
			return d, badRequest("A SqlRuleAction has no SqlExpression.")
		}
		d.Action = x.Action.SQLExpression
		d.ActionParameters, err = x.Action.Parameters.values()
	default:
		return d, badRequest("The action type '%.50s' is not known.", x.Action.Type)
	}
	return d, err
}

func (x *filterXML) filter() (broker.Filter, error) {
	switch x.Type {
	case "TrueFilter", "":
		return broker.TrueFilter{}, nil
	case "FalseFilter":
		return broker.FalseFilter{}, nil
	case "SqlFilter":
		parameters, err := x.Parameters.values()
		return broker.SQLFilter{Expression: x.SQLExpression, Parameters: parameters}, err
	case "CorrelationFilter":
		properties, err := x.Properties.values()
		return broker.CorrelationFilter{
			CorrelationID: x.CorrelationID, MessageID: x.MessageID, To: x.To, ReplyTo: x.ReplyTo, Subject: x.Label,
			SessionID: x.SessionID, ReplyToSessionID: x.ReplyToSessionID, ContentType: x.ContentType,
			Properties: properties,
		}, err
	}
	return nil, badRequest("The filter type '%.50s' is not known.", x.Type)
}

// values reads typed values. The types are those of XML Schema, with any prefix.
func (x pairsXML) values() (map[string]any, error) {
	if len(x.Pairs) == 0 {
		return nil, nil
	}
	values := make(map[string]any, len(x.Pairs))
	for _, pair := range x.Pairs {
		name := pair.Value.Type[strings.LastIndexByte(pair.Value.Type, ':')+1:]
		value, err := parseValue(name, pair.Value.Text)
		if err != nil {
			return nil, badRequest("The value '%.50s' of '%.50s' is not of the type '%.50s'.", pair.Value.Text,
				pair.Key, name)
		}
		values[pair.Key] = value
	}
	return values, nil
}

func parseValue(typeName, text string) (any, error) {
	switch typeName {
	case "string":
		return text, nil
	case "int":
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err
	case "long":
		return strconv.ParseInt(text, 10, 64)
	case "short", "byte", "unsignedByte", "unsignedShort", "unsignedInt":
		return strconv.ParseInt(text, 10, 64)
	case "unsignedLong":
		return strconv.ParseUint(text, 10, 64)
	case "double", "float", "decimal":
		return strconv.ParseFloat(text, 64)
	case "boolean":
		return strconv.ParseBool(text)
	case "anyURI":
		return text, nil
	case "dateTime":
		if t, err := time.Parse("2006-01-02T15:04:05.9999999", text); err == nil { // without a zone: UTC
			return t.In(unzoned), nil
		}
		return time.Parse(time.RFC3339Nano, text)
	case "duration":
		return broker.ParseDuration(text)
	}
	return nil, fmt.Errorf("type %q is not known", typeName)
}

func (r *request) ruleEntry(d broker.RuleDescription) entry {
	return entry{r.resource.path() + "/Rules/" + d.Name, d.Name, d.CreatedAt, d.CreatedAt,
		describe("RuleDescription", func(w *writer) {
			w.filter(d.Filter)
			if d.Action == "" {
				w.WriteString(`<Action i:type="` + emptyAction + `"/>`)
			} else {
				w.WriteString(`<Action i:type="SqlRuleAction">`)
				w.text("SqlExpression", d.Action)
				w.number("CompatibilityLevel", compatibilityLevel)
				w.pairs("Parameters", d.ActionParameters)
				w.WriteString("</Action>")
			}
			w.time("CreatedAt", d.CreatedAt)
			w.text("Name", d.Name)
		})}
}

const compatibilityLevel = 20

func (w *writer) filter(filter broker.Filter) {
	switch f := filter.(type) {
	case broker.TrueFilter:
		w.sqlFilter("TrueFilter", "1=1", nil)
	case broker.FalseFilter:
		w.sqlFilter("FalseFilter", "1=0", nil)
	case broker.SQLFilter:
		w.sqlFilter("SqlFilter", f.Expression, f.Parameters)
	case broker.CorrelationFilter:
		w.WriteString(`<Filter i:type="CorrelationFilter">`)
		w.optional("CorrelationId", f.CorrelationID)
		w.optional("MessageId", f.MessageID)
		w.optional("To", f.To)
		w.optional("ReplyTo", f.ReplyTo)
		w.optional("Label", f.Subject)
		w.optional("SessionId", f.SessionID)
		w.optional("ReplyToSessionId", f.ReplyToSessionID)
		w.optional("ContentType", f.ContentType)
		w.pairs("Properties", f.Properties)
		w.WriteString("</Filter>")
	}
}

func (w *writer) sqlFilter(typeName, expression string, parameters map[string]any) {
	w.WriteString(`<Filter i:type="` + typeName + `">`)
	w.text("SqlExpression", expression)
	w.number("CompatibilityLevel", compatibilityLevel)
	w.pairs("Parameters", parameters)
	w.WriteString("</Filter>")
}

// pairs writes typed values in the order of their names.
func (w *writer) pairs(name string, values map[string]any) {
	w.WriteString("<" + name + ">")
	for _, key := range slices.Sorted(maps.Keys(values)) {
		typeName, text := formatValue(values[key])
		w.WriteString("<KeyValueOfstringanyType>")
		w.text("Key", key)
		w.WriteString(`<Value i:type="d6p1:` + typeName + `" xmlns:d6p1="` + typeSchema + `">`)
		w.escape(text)
		w.WriteString("</Value></KeyValueOfstringanyType>")
	}
	w.WriteString("</" + name + ">")
}

// formatValue is the inverse of parseValue. Values received over AMQP may have more types.
func formatValue(v any) (typeName, text string) {
	switch x := v.(type) {
	case broker.TypedValue:
		return formatValue(x.Value)
	case int64, uint32, uint64, int, uint:
		return "long", fmt.Sprint(x)
	case int32, int16, int8, uint16, uint8:
		return "int", fmt.Sprint(x)
	case float64, float32:
		return "double", fmt.Sprint(x)
	case bool:
		return "boolean", strconv.FormatBool(x)
	case time.Time:
		if x.Location() == unzoned {
			return "dateTime", x.Format("2006-01-02T15:04:05.9999999")
		}
		return "dateTime", x.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return "duration", broker.FormatDuration(x)
	}
	return "string", fmt.Sprint(v)
}

// unzoned is the location of times that were given without a zone, and are returned so. They count as UTC.
var unzoned = time.FixedZone("", 0)
