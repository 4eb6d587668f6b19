package emulator_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/emulator/emulatortest"
)

func TestSendAndReceive(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t, emulatortest.WithLog(t))
	s.Queue("queue")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, err := azservicebus.NewClientFromConnectionString(s.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(ctx)
	sender, err := client.NewSender("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte("hello")}, nil); err != nil {
		t.Fatal(err)
	}
	receiver, err := client.NewReceiverForQueue("queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := receiver.ReceiveMessages(ctx, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || string(got[0].Body) != "hello" || *got[0].SequenceNumber != 1 {
		t.Fatalf("received %+v", got)
	}
	if err := receiver.CompleteMessage(ctx, got[0], nil); err != nil {
		t.Fatal(err)
	}
}
