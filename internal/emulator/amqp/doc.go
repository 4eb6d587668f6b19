// Package amqp encodes and decodes AMQP 1.0: the type system, frames, the performatives of the transport and of SASL,
// delivery states, and the sections of a message. It follows the OASIS standard "AMQP 1.0" of October 2012.
//
// The package parses byte slices and appends to byte slices, for either end of a connection. It
// uses no sockets, locks or clocks; it imports package time for AMQP's timestamp type. Package
// emulator implements the protocol state.
//
// Input is not trusted. Nesting is limited to MaxDepth, strings must be UTF-8, and the count of a
// list, map or array is checked against the bytes that are present before anything is allocated.
// Malformed input yields an *Error with the AMQP condition for the answer.
//
// Not implemented: arrays of described values, and SASL mechanisms that need a challenge.
package amqp
