package amqp

// saslPerformative marks the performatives of SASL frames.
type saslPerformative interface{ sasl() }

// SASLMechanisms lists the mechanisms that the server offers, in its order of preference.
type SASLMechanisms struct{ Mechanisms []Symbol }

// SASLInit carries the client's choice of mechanism and its initial response.
type SASLInit struct {
	Mechanism       Symbol
	InitialResponse []byte
	Hostname        string
}

// SASLOutcome ends the SASL exchange.
type SASLOutcome struct{ Code SASLCode }

// SASLCode is the result of an authentication.
type SASLCode uint8

// The codes of AMQP 1.0 part 5, 5.3.3.6 that a server without challenges can send.
const (
	SASLOK   SASLCode = 0
	SASLAuth SASLCode = 1 // wrong credentials
	SASLSys  SASLCode = 2 // a system error
)

func (*SASLMechanisms) sasl() {}
func (*SASLInit) sasl()       {}
func (*SASLOutcome) sasl()    {}

func parseSASL(descriptor uint64, f *fields) Performative {
	switch descriptor {
	case descriptorSASLMechanisms:
		m := &SASLMechanisms{Mechanisms: f.symbols()}
		if len(m.Mechanisms) == 0 && f.err == nil {
			f.fail("no SASL mechanism is offered")
		}
		return m
	case descriptorSASLInit:
		i := &SASLInit{Mechanism: f.symbol()}
		if i.Mechanism == "" && f.err == nil {
			f.fail("the field mechanism is missing")
		}
		i.InitialResponse = append([]byte(nil), f.binary()...)
		i.Hostname = f.string()
		return i
	case descriptorSASLOutcome:
		code := f.optUbyte()
		if !code.Set && f.err == nil {
			f.fail("the field code is missing")
		}
		return &SASLOutcome{Code: SASLCode(code.Value)}
	}
	return nil
}

// Append implements Performative.
func (m *SASLMechanisms) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorSASLMechanisms)
	w.symbols(m.Mechanisms)
	return w.end()
}

// Append implements Performative.
func (i *SASLInit) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorSASLInit)
	w.symbol(i.Mechanism)
	if len(i.InitialResponse) == 0 {
		w.null()
	} else {
		w.binary(i.InitialResponse)
	}
	w.optString(i.Hostname)
	return w.end()
}

// Append implements Performative.
func (o *SASLOutcome) Append(dst []byte) []byte {
	w := beginComposite(dst, descriptorSASLOutcome)
	w.ubyte(uint8(o.Code))
	return w.end()
}
