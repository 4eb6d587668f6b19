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
)

// Of two who ask for the same nickname at the same time in two processes, one gets it.
func TestNicknameRace(t *testing.T) {
	s := startProcesses(t, "a", "b")
	const rounds, lanes = 1000, 10
	var group sync.WaitGroup
	var mu sync.Mutex
	wins := make([]int, len(s.instances))
	for lane := range lanes {
		group.Go(func() {
			var racers []*chatcheck.Client
			for n, i := range s.instances {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				c, err := chatcheck.Join(ctx, chatcheck.Options{URLs: []string{i.url}, Door: chatcheck.Door(lane % 2),
					Name: fmt.Sprintf("racer-%d-%d", lane, n), Silence: 2 * heartbeat})
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				racers = append(racers, c)
			}
			for round := range rounds / lanes {
				got := race(t, racers, fmt.Sprintf("prize-%d-%d", lane, round))
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
					t.Errorf("lane %d, round %d: %d got the name, want 1", lane, round, total)
				}
			}
		})
	}
	group.Wait()
	t.Logf("wins by process: %v", wins)
}

// race has all racers ask for a name at once, and tells who got it. A race in which one lost his connection is void: he may never have heard
// that he won, and comes back under the name he had at first. Then they race for another name.
func race(t *testing.T, racers []*chatcheck.Client, name string) []bool {
	for again := 0; ; again++ {
		returns := returnsOf(racers)
		won, whole := raceOnce(t, racers, fmt.Sprintf("%s-%d", name, again))
		if whole && slices.Equal(returnsOf(racers), returns) || t.Failed() {
			return won
		}
	}
}

func returnsOf(clients []*chatcheck.Client) []int {
	var all []int
	for _, c := range clients {
		all = append(all, c.State().Returns)
	}
	return all
}

func raceOnce(t *testing.T, racers []*chatcheck.Client, name string) (won []bool, whole bool) {
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
					t.Errorf("%s asks for %s: %v", c.Name(), name, err)
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

// rename asks for another name and returns the code of the refusal, "" for none.
func rename(ctx context.Context, c *chatcheck.Client, name string) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var taken bool
	var detail struct{ Code string }
	if err := c.AskAll(ctx, []any{&taken, &detail}, "nickname", name); err != nil {
		return "", err
	}
	if taken && detail.Code == "" {
		return "", fmt.Errorf("refused without a code")
	}
	return detail.Code, nil
}
