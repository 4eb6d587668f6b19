package sqlfilter

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	unknown kind = iota
	boolean
	integer
	double
	text
	instant
	span
	other // equality only
)

// value is the result of an expression. The zero value is unknown.
type value struct {
	kind kind
	n    int64 // boolean (1 is true), integer, the bits of a double, nanoseconds of a span
	s    string
	a    any // time.Time of an instant, or other
}

func truth(b bool) value {
	if b {
		return value{kind: boolean, n: 1}
	}
	return value{kind: boolean}
}

func floating(f float64) value { return value{kind: double, n: int64(math.Float64bits(f))} }

func (v value) isTrue() bool   { return v.kind == boolean && v.n == 1 }
func (v value) isFalse() bool  { return v.kind == boolean && v.n == 0 }
func (v value) float() float64 { return math.Float64frombits(uint64(v.n)) }

// number returns an integer or a double as a double.
func (v value) number() float64 {
	if v.kind == integer {
		return float64(v.n)
	}
	return v.float()
}

func (v value) numeric() bool { return v.kind == integer || v.kind == double }

func valueOf(v any) value {
	switch x := v.(type) {
	case nil:
		return value{}
	case bool:
		return truth(x)
	case string:
		return value{kind: text, s: x}
	case int64:
		return value{kind: integer, n: x}
	case int32:
		return value{kind: integer, n: int64(x)}
	case int:
		return value{kind: integer, n: int64(x)}
	case int16:
		return value{kind: integer, n: int64(x)}
	case int8:
		return value{kind: integer, n: int64(x)}
	case uint8:
		return value{kind: integer, n: int64(x)}
	case uint16:
		return value{kind: integer, n: int64(x)}
	case uint32:
		return value{kind: integer, n: int64(x)}
	case uint64:
		if x > math.MaxInt64 {
			return floating(float64(x))
		}
		return value{kind: integer, n: int64(x)}
	case uint:
		return valueOf(uint64(x))
	case float64:
		return floating(x)
	case float32:
		return floating(float64(x))
	case time.Time:
		return value{kind: instant, a: x}
	case time.Duration:
		return value{kind: span, n: int64(x)}
	}
	return value{kind: other, a: v}
}

// toGo is the inverse of valueOf.
func (v value) toGo() any {
	switch v.kind {
	case boolean:
		return v.n == 1
	case integer:
		return v.n
	case double:
		return v.float()
	case text:
		return v.s
	case span:
		return time.Duration(v.n)
	}
	return v.a
}

// text formats a value as + and SET do when they convert it to a string.
func (v value) text() string {
	switch v.kind {
	case boolean:
		return strings.ToUpper(strconv.FormatBool(v.n == 1)[:1]) + strconv.FormatBool(v.n == 1)[1:]
	case integer:
		return strconv.FormatInt(v.n, 10)
	case double:
		return strconv.FormatFloat(v.float(), 'G', -1, 64)
	case text:
		return v.s
	}
	return fmt.Sprint(v.toGo())
}

var kindNames = [...]string{"unknown", "Boolean", "Int64", "Double", "String", "DateTime", "TimeSpan", "object"}

func mismatch(op string, a, b value) error {
	return evalError(fmt.Sprintf("Operator '%s' cannot be applied to operands of type '%s' and '%s'.",
		op, kindNames[a.kind], kindNames[b.kind]))
}

// equals compares two known values.
func (v value) equals(w value) (bool, error) {
	switch {
	case v.kind == integer && w.kind == integer:
		return v.n == w.n, nil
	case v.numeric() && w.numeric():
		return v.number() == w.number(), nil
	case v.kind != w.kind:
		return false, mismatch("=", v, w)
	}
	switch v.kind {
	case text:
		return v.s == w.s, nil
	case instant:
		return v.a.(time.Time).Equal(w.a.(time.Time)), nil
	case other:
		if t := reflect.TypeOf(v.a); t == reflect.TypeOf(w.a) && t.Comparable() && comparableKind(t) {
			return v.a == w.a, nil
		}
		return false, mismatch("=", v, w)
	}
	return v.n == w.n, nil
}

// comparableKind excludes types whose comparison may panic because of a value in an interface inside them.
func comparableKind(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Interface:
		return false
	case reflect.Array:
		return comparableKind(t.Elem())
	}
	return true
}

// ordering returns the result of comparing two known values. NaN has no order.
type ordering int8

const (
	unordered ordering = iota
	less
	equal
	greater
)

func orderOf[T int64 | float64 | string](a, b T) ordering {
	switch {
	case a < b:
		return less
	case a > b:
		return greater
	case a == b:
		return equal
	}
	return unordered
}

func (v value) order(w value) (ordering, error) {
	switch {
	case v.kind == integer && w.kind == integer, v.kind == span && w.kind == span:
		return orderOf(v.n, w.n), nil
	case v.numeric() && w.numeric():
		return orderOf(v.number(), w.number()), nil
	case v.kind == text && w.kind == text:
		return orderOf(v.s, w.s), nil
	case v.kind == instant && w.kind == instant:
		return ordering(v.a.(time.Time).Compare(w.a.(time.Time)) + int(equal)), nil
	}
	return unordered, mismatch("<", v, w)
}

func (v value) signed(op byte) (value, error) {
	switch {
	case !v.numeric() && v.kind != span:
		return value{}, evalError(fmt.Sprintf("Operator '%c' cannot be applied to an operand of type '%s'.", op,
			kindNames[v.kind]))
	case op == '+':
		return v, nil
	case v.kind == double:
		return floating(-v.float()), nil
	}
	v.n = -v.n
	return v, nil
}

// combined computes v op w for two known values.
func (v value) combined(op byte, w value) (value, error) {
	switch {
	case v.kind == integer && w.kind == integer:
		return integers(op, v.n, w.n)
	case v.numeric() && w.numeric():
		return doubles(op, v.number(), w.number()), nil
	case op == '+' && (v.kind == text || w.kind == text):
		return joined(v.text(), w.text())
	case op == '+' && v.kind == instant && w.kind == span:
		return valueOf(v.a.(time.Time).Add(time.Duration(w.n))), nil
	case op == '-' && v.kind == instant && w.kind == span:
		return valueOf(v.a.(time.Time).Add(-time.Duration(w.n))), nil
	case op == '-' && v.kind == instant && w.kind == instant:
		return valueOf(v.a.(time.Time).Sub(w.a.(time.Time))), nil
	case v.kind == span && w.kind == span && op == '+':
		return value{kind: span, n: v.n + w.n}, nil
	case v.kind == span && w.kind == span && op == '-':
		return value{kind: span, n: v.n - w.n}, nil
	}
	return value{}, mismatch(string(op), v, w)
}

// maxText bounds the result of +, in bytes, because each statement of an action could double a
// text. It is the limit of one property ("Service Bus quotas").
const maxText = 32 << 10

func joined(a, b string) (value, error) {
	if len(a)+len(b) > maxText {
		return value{}, evalError(fmt.Sprintf("The result of + has more than %d bytes.", maxText))
	}
	return value{kind: text, s: a + b}, nil
}

func integers(op byte, a, b int64) (value, error) {
	if b == 0 && (op == '/' || op == '%') {
		return value{}, evalError("Attempted to divide by zero.")
	}
	switch op {
	case '+':
		a += b
	case '-':
		a -= b
	case '*':
		a *= b
	case '/':
		a /= b
	case '%':
		a %= b
	}
	return value{kind: integer, n: a}, nil
}

func doubles(op byte, a, b float64) value {
	switch op {
	case '+':
		a += b
	case '-':
		a -= b
	case '*':
		a *= b
	case '/':
		a /= b
	case '%':
		a = math.Mod(a, b)
	}
	return floating(a)
}

// Equal reports whether two property values are equal. Numbers of different types compare by value.
// Values of types that are not comparable are not equal.
func Equal(a, b any) bool {
	v, w := valueOf(a), valueOf(b)
	if v.kind == unknown || w.kind == unknown {
		return false
	}
	same, err := v.equals(w)
	return err == nil && same
}
