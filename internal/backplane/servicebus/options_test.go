package servicebus

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	emulatorKey = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;" +
		"UseDevelopmentEmulator=true"
	emulatorString = "Endpoint=sb://localhost;" + emulatorKey + ";"
)

func TestParseEndpoint(t *testing.T) {
	for _, row := range []struct {
		o    Options
		want endpoint
	}{
		{Options{Namespace: "chat.servicebus.windows.net"}, endpoint{host: "chat.servicebus.windows.net"}},
		{Options{ConnectionString: "Endpoint=sb://c.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k="},
			endpoint{host: "c.servicebus.windows.net",
				administering: "Endpoint=sb://c.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k="}},
		{Options{ConnectionString: emulatorString, EmulatorHTTPPort: 5300}, endpoint{host: "localhost", emulator: true,
			administering: "Endpoint=sb://localhost:5300;" + emulatorKey}},
	} {
		if got, err := parseEndpoint(&row.o); err != nil || got != row.want {
			t.Errorf("parseEndpoint(%+v) = %+v, %v, want %+v", row.o, got, err, row.want)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for want, o := range map[string]Options{
		"neither a connection":       {},
		"both":                       {ConnectionString: emulatorString, Namespace: "x.servicebus.windows.net"},
		"not a host name":            {Namespace: "https://x.servicebus.windows.net/"},
		"no Endpoint":                {ConnectionString: "SharedAccessKeyName=n;SharedAccessKey=secret"},
		"not of the form name=value": {ConnectionString: "Endpoint=sb://x/;rubbish"},
		"not of the form sb://host/": {
			ConnectionString: "Endpoint=https://x/;SharedAccessKeyName=n;SharedAccessKey=secret"},
		"neither SharedAccessKeyName and S": {ConnectionString: "Endpoint=sb://x/;SharedAccessKeyName=n"},
	} {
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%+v) = %v, want a word of %q and no key", o, err, want)
		}
	}
}

func TestInstanceName(t *testing.T) {
	legal := regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,40}-[0-9a-f]{8}$`)
	for _, name := range []string{
		"a", "ca-chat--rev1-7f9c6b5d4-abcde", "머신", strings.Repeat("x", 200), "with'quote", "-._",
	} {
		first, second := instanceName(name), instanceName(name)
		if first == second || len(first) > maxName || (name != "머신" && name != "-._" && !legal.MatchString(first)) {
			t.Errorf("instanceName(%q) = %q, then %q", name, first, second)
		}
	}
}

func TestSequence(t *testing.T) {
	for _, row := range []struct {
		name string
		in   []int64
		want string
		gap  bool
	}{
		{"in order", []int64{1, 2, 3}, "123", false},
		{"repeats", []int64{1, 1, 2, 1, 2}, "12", false},
		{"one early", []int64{1, 3, 2, 4}, "1234", false},
		{"many early", []int64{5, 4, 3, 2, 1}, "12345", false},
		{"a gap", []int64{1, 3, 4}, "1", true},
		{"an early repeat", []int64{1, 3, 3, 2}, "123", false},
	} {
		s := sequence{next: 1}
		var got []byte
		deliver := func(_ int64, b []byte) { got = append(got, b...) }
		for _, n := range row.in {
			s.add(n, []byte{byte('0' + n)}, deliver)
		}
		if string(got) != row.want || s.gap() != row.gap {
			t.Errorf("%s: delivered %q, gap %v, want %q, %v", row.name, got, s.gap(), row.want, row.gap)
		}
		if row.gap {
			s.skip(deliver)
			if string(got) != "134" || s.gap() || len(s.early) != 0 {
				t.Errorf("after skip %q, gap %v, %d held", got, s.gap(), len(s.early))
			}
		}
	}
	unknown := sequence{}
	var numbers []int64
	for _, n := range []int64{7, 8, 6, 9} {
		unknown.add(n, nil, func(number int64, _ []byte) { numbers = append(numbers, number) })
	}
	if !slices.Equal(numbers, []int64{7, 8, 9}) {
		t.Errorf("a subscription joined at 7 delivers %v, want 7 8 9", numbers)
	}
}

// Only what a peek has passed over is known not to exist: a gap behind that stays one.
func TestSequenceAbsent(t *testing.T) {
	for _, row := range []struct {
		before int64
		want   []int64
		next   int64
		gap    bool
	}{
		{1, nil, 1, true},
		{2, nil, 2, true},
		{3, []int64{3, 4}, 5, true},
		{5, []int64{3, 4}, 5, true},
		{7, []int64{3, 4}, 7, true},
		{8, []int64{3, 4, 8}, 9, false},
		{12, []int64{3, 4, 8}, 12, false},
	} {
		s := sequence{next: 1}
		var got []int64
		deliver := func(number int64, _ []byte) { got = append(got, number) }
		for _, n := range []int64{3, 4, 8} {
			s.add(n, []byte{byte(n)}, deliver)
		}
		s.absent(row.before, deliver)
		if !slices.Equal(got, row.want) || s.next != row.next || s.gap() != row.gap {
			t.Errorf("absent(%d) delivered %v, next %d, gap %v, want %v, %d, %v",
				row.before, got, s.next, s.gap(), row.want, row.next, row.gap)
		}
	}
}
