package confusables

import "testing"

func TestLookAlikesHaveOneSkeleton(t *testing.T) {
	for _, alike := range [][]string{
		{"paypal", "раураl", "pаypаl", "𝐩𝐚𝐲𝐩𝐚𝐥"}, // Cyrillic and mathematical letters
		{"Bob", "Вob", "Ᏼob"},
		{"Bill", "BiIl", "Bi1l", "Bi|l"},
		{"modern", "rnodern"},
	} {
		for _, text := range alike[1:] {
			if got, want := Skeleton(text), Skeleton(alike[0]); got != want {
				t.Errorf("Skeleton(%q) = %q, want %q as of %q", text, got, want, alike[0])
			}
		}
	}
	for _, pair := range [][2]string{{"Ann", "Anna"}, {"user2", "user3"}, {"한국", "한글"}, {"Zoë", "Zoe"}} {
		if Skeleton(pair[0]) == Skeleton(pair[1]) {
			t.Errorf("%q and %q have one skeleton", pair[0], pair[1])
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	if n := len(table()); n < 6000 {
		t.Errorf("%d entries, want the thousands that Unicode lists", n)
	}
}
