package web_test

import "testing"

// TestAnnouncementOfSeveralIsOneLine receives announcements about several people. The reader is
// left out of the line, and the ids of all lines that it stands for are known.
func TestAnnouncementOfSeveralIsOneLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := openWindow(t, s.url(0), windowOptions{})
	ann.enter("Ann")
	// The page asks for the list of people once it is named, maybe twice. The answers come before that to a message
	// which it sends after everything that names it has come.
	for _, text := range []string{"named", "answered"} {
		ann.send(text)
		ann.waitForMessage("me", text)
	}
	const setUp = `
		globalThis.state = chatapp.state
		globalThis.room = state.rooms.get('lobby')
		globalThis.receive = chatapp.createEvents({ actions: {}, outbox: {}, toLine: (line) => line, onMessage() {} })`
	ann.run(setUp + `
		receive('announcement', ['Ben and 2 others connected', { kind: 'join', name: 'Ben', room: 'lobby',
			users: 4, time: Date.now(), id: '9003.x',
			names: ['Ben', 'Cleo', 'Ann', 'Dan'], ids: ['9000.x', '9001.x', '9002.x', '9003.x'] }, '9003.x'])
		receive('announcement', ['Ben and Cleo disconnected', { kind: 'leave', name: 'Ben', room: 'lobby',
			users: 2, time: Date.now(), id: '9005.x',
			names: ['Ben', 'Cleo'], ids: ['9004.x', '9005.x'] }])`)
	ann.wait("the run is one notice",
		`[...document.querySelectorAll('.notice:not([hidden]) .what')]
			.map((e) => e.textContent).at(-1) === 'Ben and Cleo came and left · Dan connected'`)
	ann.wait("the notice has all names as its title",
		`[...document.querySelectorAll('.notice')].at(-1).title === 'Ben, Cleo, Dan'`)
	ann.wait("the list has the people who are left",
		`[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,Dan'`)
	if known := eval[bool](ann, `['9000.x', '9001.x', '9002.x', '9003.x', '9004.x']
		.every((id) => room.ids.has(id)) && room.lines.filter((line) => line.kind === 'join'
		&& line.id === '9003.x').length === 1`); !known {
		t.Error("the room lacks ids of lines that the notices stand for")
	}
	if offset := eval[string](ann, `state.offset`); offset != "9003.x" {
		t.Errorf("offset = %q, want %q: the last announcement has no offset", offset, "9003.x")
	}
}
