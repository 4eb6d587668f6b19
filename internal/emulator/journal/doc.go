// Package journal keeps records in a folder, so that the state which they describe survives the end of the process. A
// snapshot takes the place of all records before it. The journal does not interpret the records.
//
// # Files
//
// The name of a file is its kind and a number of 16 hexadecimal digits. Every file begins with "sbdata", a byte for
// its kind, one for the version of its format, 1, a random number of 32 bits and a checksum of these. A program that
// finds a greater version refuses the folder.
//
//	log       records: length, checksum, and body. The checksum is XORed with the random number, so that no
//	          message can contain a record.
//	snapshot  records likewise, and one at the end that says how many there are. It describes the state at the
//	          beginning of the log that has its number.
//	lock      locked by the process that has the folder open; contains its process id.
//
// Logs are numbered without a gap. The state is that of the last snapshot, changed by the records of its log and of all
// later ones; what is older counts no longer and is removed. A snapshot is written under another name and renamed, so
// that it is never incomplete.
//
// # What survives
//
// [Journal.Sync] returns when the records have been given to the operating system, which an end of this process
// doesn't affect, even by SIGKILL. With [Options.Sync] they are on the disk, which a crash of the machine doesn't
// affect either. The records of callers that wait at the same time are written together.
//
// What a crash leaves of the last write, at the end of the last log, is cut. Damage anywhere else is an error.
//
// # Concurrency
//
// The methods of a Journal may be called from any goroutine, those of a Snapshot from one at a time. The package starts
// no goroutine.
package journal
