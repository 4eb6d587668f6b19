package broker

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleConfig is like the files that users of Microsoft's emulator write: with comments, trailing
// commas and empty strings.
const sampleConfig = "\xef\xbb\xbf" + `{
  // what the tests need
  "UserConfig": {
    "Namespaces": [
      {
        "Name": "sbemulatorns",
        "Queues": [
          {
            "Name": "queue.1",
            "Properties": {
              "DeadLetteringOnMessageExpiration": true,
              "DefaultMessageTimeToLive": "PT30M",
              "DuplicateDetectionHistoryTimeWindow": "PT25S",
              "ForwardDeadLetteredMessagesTo": "topic.1", // a topic named below
              "ForwardTo": "",
              "LockDuration": "PT2M",
              "MaxDeliveryCount": 7,
              "RequiresDuplicateDetection": true,
              "RequiresSession": false,
              "Future": 1,
            },
          },
          { "name": "bare", },
        ],
        "Topics": [
          {
            "Subscriptions": [
              {
                "Name": "s.1",
                "Properties": { "ForwardTo": "queue.1", "RequiresSession": "" },
                "Rules": [
                  { "Name": "both", "Properties": { "FilterType": "Correlation", "CorrelationFilter": {
                      "ContentType": "application/text", "CorrelationId": "id1", "Label": "subject1",
                      "MessageId": "msgid1", "ReplyTo": "someQueue", "ReplyToSessionId": "sessionId",
                      "SessionId": "session1", "To": "",
                      "Properties": { "prop": "value", "n": 1, "b": true } } } },
                  /* , a second one */
                  { "Name": "sql", "Properties": { "FilterType": "Sql",
                      "SqlFilter": { "SqlExpression": "sys.MessageId = '//123456' AND a = ',]'" },
                      "Action": { "SqlExpression": "SET sys.To = 'Entity'" } } },
                ]
              },
              { "Name": "plain" },
            ],
            "Name": "topic.1",
            "Properties": { "DefaultMessageTimeToLive": "", "RequiresDuplicateDetection": false },
          },
        ]
      }
    ],
    "Logging": { "Type": "File" }
  }
}`

func TestConfigCreatesEntitiesAndRules(t *testing.T) {
	c, err := ReadConfig(strings.NewReader(sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	if c.Namespace != "sbemulatorns" || !slices.Equal(c.Ignored,
		[]string{"UserConfig.Namespaces[0].Queues[0].Properties.Future"}) {
		t.Errorf("namespace %q, ignored %q", c.Namespace, c.Ignored)
	}
	b := bench{t, New(Options{})}
	defer b.Close()
	b.ok(c.Apply(b.Broker))

	q, err := b.Queue("queue.1")
	b.ok(err)
	if q.LockDuration != 2*time.Minute || q.MaxDeliveryCount != 7 || q.DefaultMessageTimeToLive != 30*time.Minute ||
		!q.RequiresDuplicateDetection ||
		q.DuplicateDetectionHistoryTimeWindow != 25*time.Second || !q.DeadLetteringOnMessageExpiration ||
		q.ForwardDeadLetteredMessagesTo != "topic.1" || q.ForwardTo != "" {
		t.Errorf("queue.1 is %+v", q.QueueDescription)
	}
	q, err = b.Queue("bare")
	b.ok(err)
	if q.DefaultMessageTimeToLive != time.Hour || q.MaxDeliveryCount != 3 || q.LockDuration != time.Minute ||
		q.DuplicateDetectionHistoryTimeWindow != 20*time.Second {
		t.Errorf("a queue of defaults is %+v", q.QueueDescription)
	}
	s, err := b.Subscription("topic.1", "s.1")
	b.ok(err)
	if s.ForwardTo != "queue.1" || s.DefaultMessageTimeToLive != time.Hour || s.RequiresSession {
		t.Errorf("s.1 is %+v", s.SubscriptionDescription)
	}
	rules, err := b.Rules("topic.1", "s.1")
	b.ok(err)
	if len(rules) != 2 || rules[0].Name != "both" || rules[1].Name != "sql" ||
		rules[1].Action != "SET sys.To = 'Entity'" {
		t.Fatalf("rules %+v", rules)
	}
	if f := rules[1].Filter.(SQLFilter); f.Expression != "sys.MessageId = '//123456' AND a = ',]'" {
		t.Errorf("what looks like a comment in a string became %q", f.Expression)
	}
	if f := rules[0].Filter.(CorrelationFilter); f.Subject != "subject1" || f.SessionID != "session1" || f.To != "" ||
		f.Properties["prop"] != "value" || f.Properties["b"] != true {
		t.Errorf("correlation filter %+v", f)
	}
	if rules, err = b.Rules("topic.1", "plain"); err != nil || len(rules) != 1 || rules[0].Name != DefaultRuleName {
		t.Errorf("rules of a subscription without any: %+v, %v", rules, err)
	}
	b.ok(b.target("topic.1").Send([]*Message{{ID: "1", Size: 1, ContentType: "application/text", CorrelationID: "id1",
		Subject: "subject1", ReplyTo: "x"}}))
	b.wantPeek("the plain subscription gets it", b.source("topic.1/Subscriptions/plain"), "1")
}

func TestConfigErrorsNameTheMember(t *testing.T) {
	inQueue := func(properties string) string {
		return `{"UserConfig":{"Namespaces":[{"Queues":[{"Name":"q","Properties":{` + properties + `}}]}]}}`
	}
	const properties = "UserConfig.Namespaces[0].Queues[0].Properties."
	for _, c := range []struct{ text, want string }{
		{"", "line 1, column 1: unexpected end"},
		{"{\n  \"a\": x\n}", "line 2, column 8: invalid character 'x'"},
		{"{\n /* never closed", "unexpected end"},
		{`{"UserConfig": []}`, "UserConfig: is an array, not an object"},
		{`{"UserConfig":{"Namespaces":{}}}`, "UserConfig.Namespaces: is an object, not an array"},
		{`{"UserConfig":{"Namespaces":[{},{}]}}`, "UserConfig.Namespaces[1]: is a second namespace"},
		{`{"UserConfig":{"Namespaces":[{"Queues":[{}]}]}}`, "UserConfig.Namespaces[0].Queues[0]: has no Name"},
		{inQueue(`"LockDuration":"1 minute"`), properties + "LockDuration: The value '1 minute' is not a duration"},
		{inQueue(`"LockDuration":5`), properties + "LockDuration: is a number, not a string"},
		{inQueue(`"MaxDeliveryCount":"x"`), properties + `MaxDeliveryCount: is "x", not a whole number`},
		{inQueue(`"MaxDeliveryCount":1.5`), properties + "MaxDeliveryCount: is 1.5, not a whole number"},
		{inQueue(`"MaxDeliveryCount":true`), properties + "MaxDeliveryCount: is a boolean, not a number"},
		{inQueue(`"RequiresSession":"perhaps"`), properties + `RequiresSession: is "perhaps", not true or false`},
		{inQueue(`"RequiresSession":1`), properties + "RequiresSession: is a number, not a boolean"},
		{`{"UserConfig":{"Namespaces":[{"Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{"FilterType":"Magic"}}]}]}]}]}}`,
			`Topics[0].Subscriptions[0].Rules[0]: has the FilterType "Magic"`},
		{`{"UserConfig":{"Namespaces":[{"Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{"FilterType":"Correlation","CorrelationFilter":{"Properties":{"x":[]}}}}]}]}]}]}}`,
			"CorrelationFilter.Properties.x: is an array, not a string, number or boolean"},
	} {
		_, err := ReadConfig(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ReadConfig(%s) = %v, want %q", c.text, err, c.want)
		}
	}
	b := New(Options{})
	defer b.Close()
	c, err := ReadConfig(strings.NewReader(inQueue(`"ForwardTo":"nowhere"`)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(b); err == nil || !strings.Contains(err.Error(), `"q"`) ||
		!strings.Contains(err.Error(), "'nowhere' does not exist") {
		t.Errorf("Apply = %v, want an error that names the queue and its destination", err)
	}
}

// FuzzReadConfig checks that no text makes the reader panic, and that plain JSON keeps its
// meaning.
func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(sampleConfig))
	f.Add([]byte(`{"a": "b\"//", /* x */ "c": [1, 2, ], }`))
	f.Add([]byte(`"\`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadConfig(bytes.NewReader(data))
		if (c == nil) != (err != nil) {
			t.Fatalf("ReadConfig(%q) = %v, %v", data, c, err)
		}
		clean := plainJSON(data)
		if len(clean) != len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(clean))
		}
		if json.Valid(data) && !bytes.Equal(clean, data) {
			t.Fatalf("plain JSON %q became %q", data, clean)
		}
		if err == nil {
			b := New(Options{})
			_ = c.Apply(b)
			b.Close()
		}
	})
}
