package amqp

import "testing"

func TestDecimalsBecomeFloats(t *testing.T) {
	for _, test := range []struct {
		wire string
		want float64
		ok   bool
	}{
		{"30 3c 00000000 000000000000 0000 07cf", 19.99, true}, // 1999e-2, as .NET encodes it
		{"b0 40 00000000 000000000000 0000 0005", -5, true},
		{"30 40 00000000 000000000000 0000 0000", 0, true},
		{"31 00 00000000 000000000000 0000 0001", 1e96, true},
		{"78 00 00000000 000000000000 0000 0000", 0, false}, // infinity
		{"5f fe 00000000 000000000000 0000 0001", 0, false}, // 1e6111
	} {
		if got, ok := Decimal128(unhex(t, test.wire)).Float(); got != test.want && test.ok || ok != test.ok {
			t.Errorf("%s is %v, %t, want %v, %t", test.wire, got, ok, test.want, test.ok)
		}
	}
	if got, ok := (Decimal64{0x31, 0xa0, 7: 25}).Float(); got != 2.5 || !ok {
		t.Errorf("decimal64 25e-1 is %v, %t", got, ok)
	}
	if got, ok := (Decimal32{0x32, 0, 0, 25}).Float(); got != 2.5 || !ok {
		t.Errorf("decimal32 25e-1 is %v, %t", got, ok)
	}
}
