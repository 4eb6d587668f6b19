package socketio_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

func TestEmitWithAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := socketio.NewServer(socketio.Options{MaxPendingAcks: 2})
		host := socketiotest.Pipe(t, server, engineio.Options{})
		c := host.Dial("")
		socket := server.Of("/").Socket(c.Connect("/", ""))
		var outcomes []string
		done := func(args *socketio.Args, err error) {
			if err != nil {
				outcomes = append(outcomes, err.Error())
				return
			}
			text, _ := args.String(0)
			outcomes = append(outcomes, text)
		}
		start := time.Now()
		if err := socket.EmitWithAck(time.Second, done, "question", 1); err != nil {
			t.Fatal(err)
		}
		c.Want("the question has an id", `20["question",1]`)
		c.Send(`30["answer"]`)
		c.Send(`30["the same again"]`)
		c.Send(`37["nobody asked"]`)
		synctest.Wait()

		if err := socket.EmitWithAck(time.Second, done, "question", 2); err != nil {
			t.Fatal(err)
		}
		c.Want("the next has the next id", `21["question",2]`)
		if err := socket.EmitWithAck(0, done, "question", 3); err != nil {
			t.Fatal(err)
		}
		c.Want("the next has the next id", `22["question",3]`)
		if err := socket.EmitWithAck(0, done, "question", 4); !errors.Is(err, socketio.ErrTooManyAcks) {
			t.Errorf("a third open question = %v, want %v", err, socketio.ErrTooManyAcks)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		c.Send(`31["too late"]`)
		c.Close()
		synctest.Wait()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the last question failed after %v, want at once with the connection", took)
		}
		want := []string{"answer", socketio.ErrAckTimeout.Error(), socketio.ErrDisconnected.Error()}
		if !slices.Equal(outcomes, want) {
			t.Errorf("outcomes %q, want %q", outcomes, want)
		}
		if err := socket.EmitWithAck(0, done, "question"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("a question to nobody = %v, want %v", err, socketio.ErrDisconnected)
		}
	})
}

func TestBroadcastWithAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := socketio.NewServer(socketio.Options{})
		host := socketiotest.Pipe(t, server, engineio.Options{})
		quick, binary, silent, leaving, bare := host.Dial(""), host.Dial(""), host.Dial(""), host.Dial(""), host.DialBare("connect")
		ids := map[string]string{}
		for name, c := range map[string]*socketiotest.Client{"quick": quick, "binary": binary, "silent": silent, "leaving": leaving, "bare": bare} {
			ids[c.Connect("/", "")] = name
		}
		result := make(chan socketio.Answers, 2) // would show a second call
		if err := server.Of("/").All().EmitWithAck(time.Minute, func(a socketio.Answers) { result <- a }, "question"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*socketiotest.Client{quick, binary, silent, leaving} {
			c.Want("all are asked under one id", `20["question"]`)
		}
		bare.Want("all are asked under one id", `{"event":"question","args":[],"id":0}`)
		quick.Send(`30["one"]`)
		binary.Send(`61-0[{"_placeholder":true,"num":0}]`)
		binary.SendBinary([]byte{2})
		bare.Send(`{"ack":0,"args":["three"]}`)
		leaving.Close()
		start := time.Now()
		answers := <-result
		if took := time.Since(start); took != time.Minute {
			t.Errorf("done after %v, want a minute", took)
		}
		got := map[string]string{}
		for _, a := range answers.Answered {
			text, _ := a.Args.String(0)
			if data, ok := a.Args.Bytes(0); ok {
				text = string(data)
			}
			got[ids[a.Socket.ID()]] = text
		}
		if len(got) != 3 || got["quick"] != "one" || got["binary"] != "\x02" || got["bare"] != "three" {
			t.Errorf("answers %q, want those of quick, binary and bare", got)
		}
		var missing []string
		for _, s := range answers.Missing {
			missing = append(missing, ids[s.ID()])
		}
		if slices.Sort(missing); !slices.Equal(missing, []string{"leaving", "silent"}) {
			t.Errorf("missing %q, want leaving and silent", missing)
		}
		silent.Send(`30["too late"]`)
		synctest.Wait()

		// When nobody is left to wait for, done does not wait for the time-out.
		start = time.Now()
		if err := server.Of("/").To("nowhere").EmitWithAck(0, func(a socketio.Answers) { result <- a }, "question"); err != nil {
			t.Fatal(err)
		}
		if answers := <-result; len(answers.Answered)+len(answers.Missing) > 0 || time.Since(start) > 0 {
			t.Errorf("asking nobody = %+v after %v", answers, time.Since(start))
		}
	})
}
