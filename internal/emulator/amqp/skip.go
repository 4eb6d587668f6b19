package amqp

import "unicode/utf8"

// skip reads one value with the same checks as value, but without decoding it.
func (d *decoder) skip(depth int) {
	code := d.code()
	if d.err != nil {
		return
	}
	if code == codeDescribed {
		if depth == 0 {
			d.fail("values nested deeper than %d", MaxDepth)
			return
		}
		d.skip(depth - 1)
		d.skip(depth - 1)
		return
	}
	d.skipBody(code, depth)
}

func (d *decoder) skipBody(code Code, depth int) {
	switch code >> 4 {
	case 0x4, 0x5, 0x6, 0x7, 0x8, 0x9:
		d.skipFixed(code)
	case 0xa, 0xb:
		switch short := code &^ 0x10; short {
		case codeBinary8:
			d.variable(code, short)
		case codeString8, codeSymbol8:
			d.skipText(code, short)
		default:
			d.fail("constructor %#02x is not defined", byte(code))
		}
	case 0xc, 0xd, 0xe, 0xf:
		d.skipCompound(code, depth)
	default:
		d.fail("constructor %#02x is not defined", byte(code))
	}
}

func (d *decoder) skipFixed(code Code) {
	switch code {
	case CodeNull, codeTrue, codeFalse, codeUint0, codeUlong0, codeList0:
	case CodeBoolean:
		d.boolean(code)
	case CodeUbyte, CodeByte, codeSmallUint, codeSmallUlong, codeSmallInt, codeSmallLong:
		d.take(1)
	case CodeUshort, CodeShort:
		d.take(2)
	case CodeUint, CodeInt, CodeFloat, CodeChar, CodeDecimal32:
		d.take(4)
	case CodeUlong, CodeLong, CodeDouble, CodeTimestamp, CodeDecimal64:
		d.take(8)
	case CodeUUID, CodeDecimal128:
		d.take(16)
	default:
		d.fail("constructor %#02x is not defined", byte(code))
	}
}

func (d *decoder) skipText(code, short Code) {
	b := d.variable(code, short)
	if !utf8.Valid(b) {
		d.fail("a string is not UTF-8")
	}
}

func (d *decoder) skipCompound(code Code, depth int) {
	switch code {
	case codeList8, CodeList, codeMap8, CodeMap, codeArray8, CodeArray:
	default:
		d.fail("constructor %#02x is not defined", byte(code))
		return
	}
	if depth == 0 {
		d.fail("values nested deeper than %d", MaxDepth)
		return
	}
	inner, count := d.compoundHeader(code)
	defer d.adopt(&inner)
	switch code {
	case codeArray8, CodeArray:
		element := inner.code()
		if width := widthOf(element); element == codeDescribed || count > maxWidthless &&
			(width == 0 || count > len(inner.b)/width) {
			inner.fail("an array of %d elements of constructor %#02x in %d bytes", count, byte(element), len(inner.b))
			return
		}
		for i := 0; i < count && inner.err == nil; i++ {
			inner.skipBody(element, depth-1)
		}
		return
	case codeMap8, CodeMap:
		if count%2 != 0 {
			inner.fail("a map has a key without a value")
		}
	}
	for i := 0; i < count && inner.err == nil; i++ {
		inner.skip(depth - 1)
	}
}
