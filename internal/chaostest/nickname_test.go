//go:build unix

package chaostest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
	"chatapp/internal/chatclient"
)

// When two users request the same nickname at the same time, at two processes, one of them gets it.
func TestOneOfTwoRequestsForANicknameWins(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, longHold)
	cluster.start(t, startProcess, "a", "b")
	const pairs = 10
	rounds := scaled(1000, 200)
	var group sync.WaitGroup
	var mu sync.Mutex
	wins := make([]int, len(cluster.instances))
	for pair := range pairs {
		group.Go(func() {
			var racers []*chatcheck.Client
			for n, i := range cluster.instances {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				c, err := chatcheck.Join(ctx, chatcheck.Options{
					URLs: []string{i.url}, Protocol: chatclient.Protocol(pair % 2),
					Name: fmt.Sprintf("racer-%d-%d", pair, n), Silence: 2 * heartbeat,
				})
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				racers = append(racers, c)
			}
			for round := range rounds / pairs {
				got := race(t, racers, fmt.Sprintf("prize-%d-%d", pair, round))
				mu.Lock()
				total := 0
				for n, won := range got {
					if won {
						wins[n]++
						total++
					}
				}
				mu.Unlock()
				if total != 1 && !t.Failed() {
					t.Errorf("pair %d, round %d: %d users got the name, want 1", pair, round, total)
				}
			}
		})
	}
	group.Wait()
	t.Logf("wins by process: %v", wins)
}

// race has all racers request a name at once, and reports which of them got it. A race in which one
// lost its connection does not count: the answer may have been lost with it. In that case they race
// for another name.
func race(t *testing.T, racers []*chatcheck.Client, name string) []bool {
	for again := 0; ; again++ {
		before := reconnects(racers)
		won, valid := raceOnce(t, racers, fmt.Sprintf("%s-%d", name, again))
		if valid && slices.Equal(reconnects(racers), before) || t.Failed() {
			return won
		}
	}
}

func reconnects(clients []*chatcheck.Client) []int {
	var all []int
	for _, c := range clients {
		all = append(all, c.State().Reconnects)
	}
	return all
}

func raceOnce(t *testing.T, racers []*chatcheck.Client, name string) (won []bool, valid bool) {
	won = make([]bool, len(racers))
	var lost atomic.Bool
	var group sync.WaitGroup
	for n, c := range racers {
		group.Go(func() {
			for {
				code, err := rename(t.Context(), c, name)
				switch {
				case errors.Is(err, chatcheck.ErrLost):
					lost.Store(true)
					return
				case err != nil:
					t.Errorf("%s requests %s: %v", c.Name(), name, err)
					return
				case code != "too_fast":
					won[n] = code == ""
					return
				}
				pause(t, 100*time.Millisecond)
			}
		})
	}
	group.Wait()
	return won, !lost.Load()
}

// rename requests another name and returns the code of the refusal, "" for none.
func rename(ctx context.Context, c *chatcheck.Client, name string) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var taken bool
	var detail struct{ Code string }
	if err := c.EmitWithAck(ctx, []any{&taken, &detail}, "nickname", name); err != nil {
		return "", err
	}
	if taken && detail.Code == "" {
		return "", fmt.Errorf("refused without a code")
	}
	return detail.Code, nil
}
