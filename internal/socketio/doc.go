// Package socketio is a Socket.IO server: protocol version 5, as spoken by clients of Socket.IO 3 and 4, and version 4
// for clients of Socket.IO 2 where the Engine.IO server lets them in.
package socketio
