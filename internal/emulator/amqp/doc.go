// Package amqp is AMQP 1.0 as bytes: the type system, frames, the performatives of the transport and of SASL, delivery
// states, and the sections of a message, as the OASIS standard "AMQP 1.0" of October 2012 defines them.
//
// It parses from byte slices and appends to byte slices, for either end of a connection, and knows no socket, no lock
// and no clock; the package time appears only because AMQP has a timestamp type. Who may send what, and when, is the
// business of package emulator.
//
// Everything parsed may come from a stranger: nesting is limited to MaxDepth, the count of a list, map or array is
// checked against the bytes that are there before anything is allocated, and strings must be UTF-8. What is wrong is
// told as an *Error that carries the AMQP condition to answer with.
//
// Left out: arrays of described values, the messages of transactions (a coordinator target is recognised, so that it
// can be refused by name), and SASL mechanisms that need a challenge.
package amqp
