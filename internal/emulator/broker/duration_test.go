package broker

import (
	"testing"
	"time"
)

func TestDurationsParseAndFormat(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		back string // what FormatDuration makes of it, text if empty
	}{
		{"PT1M", time.Minute, ""}, {"PT45S", 45 * time.Second, ""}, {"PT1M30S", 90 * time.Second, ""},
		{"P14D", 14 * day, ""}, {"P1DT1H", 25 * time.Hour, ""},
		{"PT4H", 4 * time.Hour, ""}, {"PT0S", 0, ""}, {"PT0M1S", time.Second, "PT1S"}, {"PT60M0S", time.Hour, "PT1H"},
		{"PT90S", 90 * time.Second, "PT1M30S"},
		{"PT0.5S", time.Second / 2, ""}, {"PT1.0000001S", time.Second + 100, ""},
		{"PT1.5000000S", 3 * time.Second / 2, "PT1.5S"}, {"PT36H", 36 * time.Hour, "P1DT12H"},
		{"P1Y2M3DT4H5M6S", (365+60+3)*day + 4*time.Hour + 5*time.Minute + 6*time.Second, "P428DT4H5M6S"},
		{"P10675199DT2H48M5.4775807S", Unlimited, ""}, {"P106752D", Unlimited, unlimitedText},
		{"P999999999999Y", Unlimited, unlimitedText}, {"P106751D", 106751 * day, ""},
	} {
		got, err := ParseDuration(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", c.text, got, err, c.want)
		}
		if c.back == "" {
			c.back = c.text
		}
		if back := FormatDuration(got); back != c.back {
			t.Errorf("FormatDuration(%v) = %q, want %q", got, back, c.back)
		}
	}
	for _, text := range []string{"", "P", "PT", "T1M", "1M", "PT1", "PT1X", "P1H", "PTT1M", "PT1S1M", "PT1M1M",
		"P1.5D", "PT.5S", "PT1.S", "PT1.2.3S", "-PT1M", "PT-1M", "P1DT", "pt1m", "PT99999999999999999999S",
		"00:01:00"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"PT1M30S", "P10675199DT2H48M5.4775807S", "P1Y2M3DT4H5M6.789S", "PT"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseDuration(%q) = %v, negative", text, d)
		}
		if back, err := ParseDuration(FormatDuration(d)); err != nil || back != d && back != d.Truncate(100) {
			t.Fatalf("%q is %v, but comes back as %v, %v", text, d, back, err)
		}
	})
}
