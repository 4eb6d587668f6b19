// Package embedded is a store in a folder. One process writes it; others may read it at the same time, and see in each
// call what the writer has stored before.
//
// # Why no library
//
// bbolt and pebble let one process alone open their files. SQLite in Go (modernc.org/sqlite) lets several, but takes
// 57 s of CPU to build, 100 s with the race detector and 87 s for vet of each further platform, and adds 6 MB to the
// binary. What a log needs is less than any of them: to append, to find pages by room, and to write files again.
//
// # Files
//
// The name of a file is its kind and a number of 16 hexadecimal digits. Every file begins with "chatst", a byte for its
// kind and one for the version of its format, 1; a program that finds a greater version refuses the folder. Numbers
// within files are varints unless something else is said, big-endian if they have a fixed size; checksums are CRC-32C.
//
//	manifest    lists the files that count, and what the log was at the beginning of the first log file. The one
//	            with the greatest number is valid; each change of the list makes another.
//	log         records: length and checksum, 32 bits each, and body. A record is a batch, a claim, or an index up to
//	            which entries are dropped. The checksum is XORed with a random number of the file, so that no message
//	            can contain a record. The file's beginning says where the log file before ends.
//	lines       pages of some 16 KiB, each with lines of one room, ascending by room and line. An index at the end has
//	            room, place, checksum and range of each page; the last 16 bytes say where it is. Never changed.
//	entries     likewise, with entries in place of lines.
//	checkpoint  one checkpoint. It counts once a record of a log names it.
//	lock        locked by the writer until it ends; contains its process id.
//
// Append writes one record and syncs the file. At the next start the writer cuts a record that isn't whole at the end
// of the last log, which a crash leaves, but reports one that whole records follow, which no crash leaves. A log of
// Options.SegmentBytes is sealed: its lines and entries are written as pages, a manifest makes these count in place of
// the log, and the log is removed. Eight neighbouring files of one size class are merged into one, up to 1 GiB. Files
// are written under another name, synced and renamed, so that none is ever incomplete; a crash leaves files that no
// manifest lists, which the next change of the list removes.
//
// A batch that goes behind an index below the head hides what is above: files of pages are marked in memory and in the
// manifest, and written again without it by the next Rewrite, DropEntries or merge.
//
// Memory holds some 60 bytes for each line and entry of the logs, and some 90 for each page.
//
// # Concurrency
//
//	goroutine  started by                     owns                 ends; who waits
//	sealing    an Append that fills a log     Store.upkeep         logs are sealed, files merged; Close
package embedded
