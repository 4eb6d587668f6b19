package amqp

import (
	"math/big"
	"strconv"
)

// Float returns the number nearest to the decimal, and false for an infinity, a NaN or a coefficient that is not
// canonical.
func (v Decimal32) Float() (float64, bool) { return decimalFloat(v[:], 8, 101) }

// Float returns the number nearest to the decimal, and false for an infinity, a NaN or a coefficient that is not
// canonical.
func (v Decimal64) Float() (float64, bool) { return decimalFloat(v[:], 10, 398) }

// Float returns the number nearest to the decimal, and false for an infinity, a NaN or a coefficient that is not
// canonical.
func (v Decimal128) Float() (float64, bool) { return decimalFloat(v[:], 14, 6176) }

// decimalFloat decodes the binary integer encoding of IEEE 754-2008, 3.5.2: a sign, an exponent with a bias, and the
// coefficient. An exponent that begins with two ones marks infinities, NaNs and coefficients above the canonical ones.
func decimalFloat(b []byte, exponentBits uint, bias int) (float64, bool) {
	bits := new(big.Int).SetBytes(b)
	total := uint(len(b)) * 8
	if bits.Bit(int(total-2)) == 1 && bits.Bit(int(total-3)) == 1 {
		return 0, false
	}
	coefficientBits := total - 1 - exponentBits
	field := func(at, n uint) *big.Int {
		mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), n), big.NewInt(1))
		return mask.And(mask, new(big.Int).Rsh(bits, at))
	}
	exponent := int(field(coefficientBits, exponentBits).Int64()) - bias
	text := field(0, coefficientBits).String() + "e" + strconv.Itoa(exponent)
	if bits.Bit(int(total-1)) == 1 {
		text = "-" + text
	}
	f, err := strconv.ParseFloat(text, 64) // an error means that the number is out of range
	return f, err == nil
}
