package management

import "testing"

// A time without a zone comes back without one, as Python's SDK sends and expects it.
func TestTimesKeepTheirZone(t *testing.T) {
	for _, text := range []string{"2020-07-05T11:12:13", "2020-07-05T11:12:13.5", "2020-07-05T11:12:13Z"} {
		value, err := parseValue("dateTime", text)
		if err != nil {
			t.Fatal(err)
		}
		if kind, got := formatValue(value); kind != "dateTime" || got != text {
			t.Errorf("%s comes back as %s %s", text, kind, got)
		}
	}
}
