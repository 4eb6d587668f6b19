package emulatortest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestEmulatorsRunSideBySide starts several emulators with entities of the same names and checks
// that each has its own messages. It also shows how to use the package.
func TestEmulatorsRunSideBySide(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s := emulatortest.Start(t)
			s.Topic("chat", "mine")
			a, err := admin.NewClientFromConnectionString(s.AdminConnectionString(), &admin.ClientOptions{
				ClientOptions: azcore.ClientOptions{Transport: s.AdminTransport()},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.CreateQueue(ctx, "queue", nil); err != nil {
				t.Fatal(err)
			}
			client, err := azservicebus.NewClientFromConnectionString(s.ConnectionString(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close(ctx)
			sender, err := client.NewSender("chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte(t.Name())}, nil); err != nil {
				t.Fatal(err)
			}
			receiver, err := client.NewReceiverForSubscription("chat", "mine", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := receiver.ReceiveMessages(ctx, 1, nil)
			if err != nil || len(got) != 1 || string(got[0].Body) != t.Name() {
				t.Fatalf("received %d messages, %v, want one with %q", len(got), err, t.Name())
			}
			if usage := s.Broker().Usage(); usage.Sent != 1 || usage.Received != 1 {
				t.Errorf("the meter shows %+v, want one message sent and one received", usage)
			}
		})
	}
}
