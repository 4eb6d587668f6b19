package worker

import "chatapp/internal/recorder"

// storageObservables tell whether the chat is kept. Without a store the first one is 1 and the others are 0.
func storageObservables() []observable {
	one := func(name, unit, description string, kind instrumentKind, value func(*recorder.Status) int64) observable {
		return observable{name, unit, description, kind, nil, func(s *sample) int64 { return value(&s.storage) }}
	}
	is := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	return []observable{
		one("chat.store.saved", "", "0 while the store does not work, else 1.", gauge,
			func(s *recorder.Status) int64 { return is(s.Saved) }),
		one("chat.store.writer", "", "1 if this instance writes the store, else 0.", gauge,
			func(s *recorder.Status) int64 { return is(s.Writes) }),
		one("chat.store.behind", "{entry}", "Log entries that wait to be stored.", gauge,
			func(s *recorder.Status) int64 { return int64(s.Behind) }),
		one("chat.store.batches", "{batch}", "Batches stored.", counter,
			func(s *recorder.Status) int64 { return int64(s.Batches) }),
		one("chat.store.failures", "{failure}", "Calls of the store that failed.", counter,
			func(s *recorder.Status) int64 { return int64(s.Failures) }),
		one("chat.store.lost", "{line}", "Lines dropped before the store had them.", counter,
			func(s *recorder.Status) int64 { return int64(s.Lost) }),
		one("chat.store.dropped", "{message}", "Messages of the bus dropped before the store had them.", counter,
			func(s *recorder.Status) int64 { return int64(s.Dropped) }),
	}
}
