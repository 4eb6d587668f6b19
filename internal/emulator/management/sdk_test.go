package management_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/management"
)

// httpTransport sends requests for https URLs over http.
type httpTransport struct{ client *http.Client }

func (p httpTransport) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return p.client.Do(r)
}

// start serves a namespace and returns it with a client of the given key, as in
// "RootManageSharedAccessKey=SAS_KEY_VALUE".
func start(t *testing.T, options broker.Options) (*broker.Broker, *httptest.Server,
	func(keyName, key string) *admin.Client) {
	t.Helper()
	b := broker.New(options)
	t.Cleanup(b.Close)
	server := httptest.NewServer(management.New(b, management.Options{}))
	t.Cleanup(server.Close)
	return b, server, func(keyName, key string) *admin.Client {
		t.Helper()
		text := fmt.Sprintf("Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true",
			server.Listener.Addr(), keyName, key)
		client, err := admin.NewClientFromConnectionString(text,
			&admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: httpTransport{server.Client()}}})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
}

const rootKey, rootSecret = "RootManageSharedAccessKey", "SAS_KEY_VALUE"

func ptr[T any](v T) *T { return &v }

// wantStatus checks that an error is a response of the given status with the given text.
func wantStatus(t *testing.T, what string, err error, status int, text string) {
	t.Helper()
	response, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || response.StatusCode != status || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want status %d with %q", what, err, status, text)
	}
}

func TestSDKManagesQueues(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, server, connect := start(t, broker.Options{})
	client := connect(rootKey, rootSecret)

	if got, err := client.GetQueue(ctx, "nothing", nil); got != nil || err != nil {
		t.Errorf("GetQueue of nothing = %v, %v, want nil, nil", got, err)
	}
	created, err := client.CreateQueue(ctx, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	forever := ptr("P10675199DT2H48M5.4775807S")
	want := admin.QueueProperties{
		LockDuration: ptr("PT1M"), MaxSizeInMegabytes: ptr(int32(1024)), RequiresDuplicateDetection: ptr(false),
		RequiresSession:          ptr(false),
		DefaultMessageTimeToLive: forever, DeadLetteringOnMessageExpiration: ptr(false),
		DuplicateDetectionHistoryTimeWindow: ptr("PT10M"),
		MaxDeliveryCount:                    ptr(int32(10)), EnableBatchedOperations: ptr(true),
		Status:             ptr(admin.EntityStatusActive),
		AutoDeleteOnIdle:   forever,
		EnablePartitioning: ptr(false), MaxMessageSizeInKilobytes: ptr(int64(256)),
	}
	if created.QueueName != "orders" || !reflect.DeepEqual(created.QueueProperties, want) {
		t.Errorf("a queue of defaults is %+v", created)
	}
	_, err = client.CreateQueue(ctx, "Orders", nil)
	wantStatus(t, "creating twice", err, 409, "SubCode=40900")

	full := admin.QueueProperties{
		LockDuration: ptr("PT45S"), MaxSizeInMegabytes: ptr(int32(2048)), RequiresDuplicateDetection: ptr(true),
		RequiresSession:          ptr(false),
		DefaultMessageTimeToLive: ptr("PT6H"), DeadLetteringOnMessageExpiration: ptr(true),
		DuplicateDetectionHistoryTimeWindow: ptr("PT4H"),
		MaxDeliveryCount:                    ptr(int32(100)), EnableBatchedOperations: ptr(false),
		Status: ptr(admin.EntityStatusReceiveDisabled), EnablePartitioning: ptr(true),
		AutoDeleteOnIdle: ptr("PT10M"), UserMetadata: ptr("some <metadata>"),
		ForwardDeadLetteredMessagesTo: ptr("sb://" + server.Listener.Addr().String() + "/orders"),
		AuthorizationRules: []admin.AuthorizationRule{{AccessRights: []admin.AccessRight{admin.AccessRightSend},
			KeyName: ptr("k"), PrimaryKey: ptr("p"), SecondaryKey: ptr("s")}},
	}
	made, err := client.CreateQueue(ctx, "full", &admin.CreateQueueOptions{Properties: &full})
	if err != nil {
		t.Fatal(err)
	}
	// of all 16 partitions
	full.MaxSizeInMegabytes, full.MaxMessageSizeInKilobytes = ptr(int32(16*2048)), ptr(int64(256))
	if !reflect.DeepEqual(made.QueueProperties, full) {
		t.Errorf("created\n%+v, want\n%+v", made.QueueProperties, full)
	}
	updated, err := client.UpdateQueue(ctx, "full", made.QueueProperties, nil)
	if err != nil || !reflect.DeepEqual(updated.QueueProperties, full) {
		t.Errorf("an update without change gives\n%+v, %v", updated, err)
	}

	made.RequiresSession = ptr(true)
	_, err = client.UpdateQueue(ctx, "full", made.QueueProperties, nil)
	wantStatus(t, "requiring sessions later", err, 400,
		"The value for the RequiresSession property of an existing Queue cannot be changed")
	_, err = client.UpdateQueue(ctx, "nothing", admin.QueueProperties{}, nil)
	wantStatus(t, "updating nothing", err, 404, "")
	_, err = client.CreateQueue(ctx, "bad",
		&admin.CreateQueueOptions{Properties: &admin.QueueProperties{LockDuration: ptr("PT10M")}})
	wantStatus(t, "a lock of ten minutes", err, 400, "LockDuration")
	_, err = client.CreateQueue(ctx, "bad",
		&admin.CreateQueueOptions{Properties: &admin.QueueProperties{ForwardTo: ptr("sb://x/nothing")}})
	wantStatus(t, "forwarding to nothing", err, 400, "SubCode=40400. The auto forwarding destination entity")

	target, err := b.Target("orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Send([]*broker.Message{{ID: "1", Size: 10},
		{ID: "2", Size: 20, ScheduledEnqueueTime: time.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	runtime, err := client.GetQueueRuntimeProperties(ctx, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.ActiveMessageCount != 1 || runtime.ScheduledMessageCount != 1 || runtime.TotalMessageCount != 2 ||
		runtime.SizeInBytes != 30 || runtime.DeadLetterMessageCount != 0 ||
		time.Since(runtime.CreatedAt) > time.Minute || runtime.AccessedAt.IsZero() {
		t.Errorf("runtime properties %+v", runtime)
	}
	if idle, err := client.GetQueueRuntimeProperties(ctx, "full", nil); err != nil || !idle.AccessedAt.IsZero() {
		t.Errorf("a queue never used was accessed at %v, %v", idle.AccessedAt, err)
	}
	if _, err := client.DeleteQueue(ctx, "orders", nil); err != nil {
		t.Error(err)
	}
	_, err = client.DeleteQueue(ctx, "orders", nil)
	wantStatus(t, "deleting twice", err, 404, "")
}

func TestSDKManagesTopicsAndSubscriptions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, server, connect := start(t, broker.Options{})
	client := connect(rootKey, rootSecret)
	forever := ptr("P10675199DT2H48M5.4775807S")

	topic, err := client.CreateTopic(ctx, "chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (admin.TopicProperties{
		DefaultMessageTimeToLive: forever, MaxSizeInMegabytes: ptr(int32(1024)),
		RequiresDuplicateDetection: ptr(false), DuplicateDetectionHistoryTimeWindow: ptr("PT10M"),
		EnableBatchedOperations: ptr(true), Status: ptr(admin.EntityStatusActive), SupportOrdering: ptr(true),
		AutoDeleteOnIdle: forever, EnablePartitioning: ptr(false),
		MaxMessageSizeInKilobytes: ptr(int64(256)),
	}); !reflect.DeepEqual(topic.TopicProperties, want) {
		t.Errorf("a topic of defaults is %+v", topic)
	}
	topic.EnablePartitioning = ptr(true)
	_, err = client.UpdateTopic(ctx, "chat", topic.TopicProperties, nil)
	wantStatus(t, "partitioning later", err, 400, "Partitioning cannot be changed for Topic. ")
	topic.EnablePartitioning, topic.AutoDeleteOnIdle, topic.UserMetadata = ptr(false), ptr("PT11M"), ptr("m")
	if updated, err := client.UpdateTopic(ctx, "chat", topic.TopicProperties, nil); err != nil ||
		*updated.AutoDeleteOnIdle != "PT11M" || *updated.UserMetadata != "m" {
		t.Errorf("updated %+v, %v", updated, err)
	}

	if got, err := client.GetSubscription(ctx, "chat", "a", nil); got != nil || err != nil {
		t.Errorf("GetSubscription of nothing = %v, %v, want nil, nil", got, err)
	}
	if _, err := client.CreateQueue(ctx, "archive", nil); err != nil {
		t.Fatal(err)
	}
	full := admin.SubscriptionProperties{
		LockDuration: ptr("PT3M"), RequiresSession: ptr(false), DefaultMessageTimeToLive: ptr("PT7M"),
		DeadLetteringOnMessageExpiration:                ptr(true),
		EnableDeadLetteringOnFilterEvaluationExceptions: ptr(false), MaxDeliveryCount: ptr(int32(11)),
		Status:                  ptr(admin.EntityStatusActive),
		EnableBatchedOperations: ptr(false), AutoDeleteOnIdle: ptr("PT11M"), UserMetadata: ptr("user metadata"),
		ForwardDeadLetteredMessagesTo: ptr("https://" + server.Listener.Addr().String() + "/archive"),
	}
	made, err := client.CreateSubscription(ctx, "chat", "a", &admin.CreateSubscriptionOptions{Properties: &full})
	if err != nil || made.TopicName != "chat" || made.SubscriptionName != "a" ||
		!reflect.DeepEqual(made.SubscriptionProperties, full) {
		t.Fatalf("created\n%+v, %v, want\n%+v", made, err, full)
	}
	_, err = client.CreateSubscription(ctx, "chat", "A", nil)
	wantStatus(t, "creating twice", err, 409, "")
	_, err = client.CreateSubscription(ctx, "nothing", "a", nil)
	wantStatus(t, "of nothing", err, 404, "")
	_, err = client.UpdateSubscription(ctx, "chat", "b", full, nil)
	wantStatus(t, "updating nothing", err, 404, "")
	full.RequiresSession = ptr(true)
	_, err = client.UpdateSubscription(ctx, "chat", "a", full, nil)
	wantStatus(t, "requiring sessions later", err, 400,
		"The value for the RequiresSession property of an existing Subscription cannot be changed")
	full.RequiresSession, full.LockDuration = ptr(false), ptr("PT4M")
	if updated, err := client.UpdateSubscription(ctx, "chat", "a", full, nil); err != nil ||
		*updated.LockDuration != "PT4M" {
		t.Errorf("updated %+v, %v", updated, err)
	}

	target, err := b.Target("chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Send([]*broker.Message{{ID: "1", Size: 10}}); err != nil {
		t.Fatal(err)
	}
	runtime, err := client.GetSubscriptionRuntimeProperties(ctx, "chat", "a", nil)
	if err != nil || runtime.ActiveMessageCount != 1 || runtime.TotalMessageCount != 1 || runtime.AccessedAt.IsZero() {
		t.Errorf("subscription's runtime properties %+v, %v", runtime, err)
	}
	counts, err := client.GetTopicRuntimeProperties(ctx, "chat", nil)
	if err != nil || counts.SubscriptionCount != 1 || counts.SizeInBytes != 10 || counts.SQLFilterCount != 1 ||
		counts.CorrelationFilterCount != 0 {
		t.Errorf("topic's runtime properties %+v, %v", counts, err)
	}
	if _, err := client.DeleteSubscription(ctx, "chat", "a", nil); err != nil {
		t.Error(err)
	}
	_, err = client.DeleteSubscription(ctx, "chat", "a", nil)
	wantStatus(t, "deleting twice", err, 404, "")
	if _, err := client.DeleteTopic(ctx, "chat", nil); err != nil {
		t.Error(err)
	}
}

func TestSDKManagesRules(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, _, connect := start(t, broker.Options{})
	client := connect(rootKey, rootSecret)
	if err := b.CreateTopic(broker.DefaultTopic("t")); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateSubscription(ctx, "t", "s",
		&admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{
			DefaultRule: &admin.RuleProperties{Name: "first", Filter: &admin.SQLFilter{Expression: "a <> 'b'"},
				Action: &admin.SQLAction{Expression: "SET a = 1"}},
		}}); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2001, 1, 1, 1, 2, 3, 0, time.UTC)
	parameters := map[string]any{"@s": "hello <world>", "@i": int64(100), "@f": 100.1, "@t": at, "@b": true}
	want := []admin.RuleProperties{
		{Name: "first", Filter: &admin.SQLFilter{Expression: "a <> 'b'"},
			Action: &admin.SQLAction{Expression: "SET a = 1"}},
		{Name: "true", Filter: &admin.TrueFilter{}},
		{Name: "false", Filter: &admin.FalseFilter{}},
		{Name: "sql", Filter: &admin.SQLFilter{Expression: "x=@s OR x=@i OR x=@f OR x=@t OR x=@b",
			Parameters: parameters}, Action: &admin.SQLAction{Expression: "SET x=@s SET x=@i", Parameters: parameters}},
		{Name: "correlation", Filter: &admin.CorrelationFilter{
			ContentType: ptr("ct"), CorrelationID: ptr("c"), MessageID: ptr("m"), ReplyTo: ptr("r"),
			ReplyToSessionID: ptr("rs"), SessionID: ptr("s"), Subject: ptr("l"), To: ptr("t"),
			ApplicationProperties: parameters,
		}},
	}
	for _, rule := range want[1:] {
		created, err := client.CreateRule(ctx, "t", "s",
			&admin.CreateRuleOptions{Name: &rule.Name, Filter: rule.Filter, Action: rule.Action})
		if err != nil || !reflect.DeepEqual(created.RuleProperties, rule) {
			t.Errorf("created %+v, %v, want %+v", created.RuleProperties, err, rule)
		}
		if updated, err := client.UpdateRule(ctx, "t", "s", rule); err != nil ||
			!reflect.DeepEqual(updated.RuleProperties, rule) {
			t.Errorf("updated %+v, %v, want %+v", updated.RuleProperties, err, rule)
		}
	}
	var got []admin.RuleProperties
	for pager := client.NewListRulesPager("t", "s", &admin.ListRulesOptions{MaxPageSize: 2}); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Rules...)
	}
	sorted := slices.SortedFunc(slices.Values(want), func(a, b admin.RuleProperties) int {
		return strings.Compare(a.Name, b.Name)
	})
	if !reflect.DeepEqual(got, sorted) {
		t.Errorf("listed\n%+v, want\n%+v", got, sorted)
	}
	if rule, err := client.GetRule(ctx, "t", "s", "nothing", nil); rule != nil || err != nil {
		t.Errorf("GetRule of nothing = %v, %v, want nil, nil", rule, err)
	}
	if rule, err := client.GetRule(ctx, "t", "s", "FIRST", nil); err != nil ||
		!reflect.DeepEqual(rule.RuleProperties, want[0]) {
		t.Errorf("GetRule = %v, %v", rule, err)
	}
	_, err := client.CreateRule(ctx, "t", "s", &admin.CreateRuleOptions{Name: ptr("bad"),
		Filter: &admin.SQLFilter{Expression: "a ="}})
	wantStatus(t, "bad SQL", err, 400, "There was an error parsing the SQL expression.")
	if _, err := client.CreateRule(ctx, "t", "s", &admin.CreateRuleOptions{}); err != nil {
		t.Errorf("a rule without a name: %v", err)
	}
	if rule, err := client.GetRule(ctx, "t", "s", "$Default", nil); err != nil || rule == nil {
		t.Errorf("the rule without a name is %v, %v", rule, err)
	}
	if _, err := client.DeleteRule(ctx, "t", "s", "first", nil); err != nil {
		t.Error(err)
	}
	_, err = client.DeleteRule(ctx, "t", "s", "first", nil)
	wantStatus(t, "deleting twice", err, 404, "")
}

func TestSDKListsInPages(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, _, connect := start(t, broker.Options{})
	client := connect(rootKey, rootSecret)
	var want []string
	for i := range 105 {
		want = append(want, fmt.Sprintf("q%03d", i))
		if err := b.CreateQueue(broker.DefaultQueue(want[i])); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int32{0, 50, 105, 500} {
		var names []string
		for pager := client.NewListQueuesPager(&admin.ListQueuesOptions{MaxPageSize: size}); pager.More(); {
			page, err := pager.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range page.Queues {
				names = append(names, q.QueueName)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("page size %d lists %d queues: %.100q", size, len(names), names)
		}
	}
	if err := b.CreateTopic(broker.DefaultTopic("t")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "y"} {
		if err := b.CreateSubscription(broker.DefaultSubscription("t", name)); err != nil {
			t.Fatal(err)
		}
	}
	topics, err := client.NewListTopicsRuntimePropertiesPager(nil).NextPage(ctx)
	if err != nil || len(topics.TopicRuntimeProperties) != 1 ||
		topics.TopicRuntimeProperties[0].SubscriptionCount != 2 {
		t.Errorf("topics %+v, %v", topics, err)
	}
	subscriptions, err := client.NewListSubscriptionsRuntimePropertiesPager("t", nil).NextPage(ctx)
	if err != nil || len(subscriptions.SubscriptionRuntimeProperties) != 2 ||
		subscriptions.SubscriptionRuntimeProperties[1].SubscriptionName != "y" {
		t.Errorf("subscriptions %+v, %v", subscriptions, err)
	}
}

func TestSDKReadsNamespace(t *testing.T) {
	t.Parallel()
	for tier, units := range map[broker.Tier]*int64{broker.Standard: nil, broker.Premium: ptr(int64(1))} {
		_, _, connect := start(t, broker.Options{Tier: tier, Namespace: "mine"})
		got, err := connect(rootKey, rootSecret).GetNamespaceProperties(t.Context(), nil)
		if err != nil || got.SKU != tier.String() || !reflect.DeepEqual(got.MessagingUnits, units) ||
			got.Name != "mine" || time.Since(got.CreatedTime) > time.Minute {
			t.Errorf("namespace %+v, %v", got, err)
		}
	}
}

func TestSDKIsRefusedWithoutRights(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, _, connect := start(t, broker.Options{Keys: []broker.AuthorizationRule{{KeyName: "low", PrimaryKey: "key",
		Claims: broker.Send | broker.Listen}}})
	client := connect("low", "key")
	if err := b.CreateTopic(broker.DefaultTopic("t")); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetQueue(ctx, "nothing", nil); got != nil || err != nil {
		t.Errorf("GetQueue of nothing = %v, %v, want nil, nil", got, err)
	}
	call := func(_ any, err error) error { return err }
	for _, c := range []struct {
		what string
		err  error
		text string
	}{
		{"GetTopic", call(client.GetTopic(ctx, "t", nil)), ">Manage,EntityRead claims required for this operation"},
		{"list", call(client.NewListQueuesPager(nil).NextPage(ctx)),
			">Manage,EntityRead claims required for this operation"},
		{"create", call(client.CreateQueue(ctx, "q", nil)),
			"Authorization failed for specified action: Manage,EntityWrite"},
		{"update", call(client.UpdateTopic(ctx, "t", admin.TopicProperties{}, nil)),
			"Authorization failed for specified action: Manage,EntityWrite"},
		{"delete", call(client.DeleteTopic(ctx, "t", nil)),
			"Authorization failed for specified action: Manage,EntityDelete."},
		{"GetSubscription", call(client.GetSubscription(ctx, "t", "s", nil)),
			"401 SubCode=40100: Unauthorized : Unauthorized access for 'GetSubscription' operation"},
		{"list subscriptions", call(client.NewListSubscriptionsPager("t", nil).NextPage(ctx)),
			"'EnumerateSubscriptions' operation"},
		{"create subscription", call(client.CreateSubscription(ctx, "t", "s", nil)),
			"'CreateOrUpdateSubscription' operation"},
		{"delete subscription", call(client.DeleteSubscription(ctx, "t", "s", nil)), "'DeleteSubscription' operation"},
		{"list rules", call(client.NewListRulesPager("t", "s", nil).NextPage(ctx)), "'EnumerateRules' operation"},
		{"wrong key", call(connect("low", "other").GetTopic(ctx, "t", nil)), "InvalidSignature"},
		{"unknown key", call(connect("unknown", "key").GetTopic(ctx, "t", nil)), "InvalidSignature"},
	} {
		wantStatus(t, c.what, c.err, 401, c.text)
	}
}
