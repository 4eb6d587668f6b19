package web_test

import "testing"

// A crowd's announcement becomes one line, in the reader's language and without himself, and all of it is known to have been told.
func TestCrowdIsOneLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ann := open(t, s.url(0), look{})
	ann.enter("Ann")
	const begin = `
		const main = document.querySelector('script[type=module]').src
		const { createEvents } = await import(new URL('events.js', main))
		globalThis.state = (await import(new URL('state.js', main))).state
		globalThis.room = state.rooms.get('lobby')
		globalThis.tell = createEvents({ actions: {}, outbox: {}, toLine: (line) => line, onMessage() {} })`
	ann.run(begin + `
		tell('announcement', ['Ben and 2 others connected', { kind: 'join', name: 'Ben', room: 'lobby', users: 4, time: Date.now(), id: '9003.x',
			names: ['Ben', 'Cleo', 'Ann', 'Dan'], ids: ['9000.x', '9001.x', '9002.x', '9003.x'] }, '9003.x'])
		tell('announcement', ['Ben and Cleo disconnected', { kind: 'leave', name: 'Ben', room: 'lobby', users: 2, time: Date.now(), id: '9005.x',
			names: ['Ben', 'Cleo'], ids: ['9004.x', '9005.x'] }])`)
	ann.wait("they came", `[...document.querySelectorAll('.notice bdi')].map((e) => e.textContent).slice(-2).join('; ') === 'Ben and 2 others connected; Ben and Cleo disconnected'`)
	ann.wait("their names are at hand", `[...document.querySelectorAll('.notice')].at(-2).title === 'Ben, Cleo, Dan'`)
	ann.wait("who is left is listed", `[...document.querySelectorAll('#people .name')].map((e) => e.textContent).join() === 'Ann,Dan'`)
	if known := eval[bool](ann, `['9000.x', '9001.x', '9002.x', '9003.x', '9004.x'].every((id) => room.ids.has(id)) && room.lines.filter((line) => line.kind === 'join' && line.id === '9003.x').length === 1`); !known {
		t.Error("page does not know the lines of a crowd that it was told")
	}
	if offset := eval[string](ann, `state.offset`); offset != "9003.x" {
		t.Errorf("offset = %q, want %q: the last announcement does not end in one", offset, "9003.x")
	}

	kim := open(t, s.url(0), look{language: "ko-KR"})
	kim.enter("Kim")
	kim.run(begin + `
		tell('announcement', ['Ben and 2 others connected', { kind: 'join', name: 'Ben', room: 'lobby', users: 5, time: Date.now(), id: '9003.x',
			names: ['Ben', 'Cleo', 'Dan'], ids: ['9001.x', '9002.x', '9003.x'] }, '9003.x'])`)
	kim.wait("in Korean", `[...document.querySelectorAll('.notice bdi')].at(-1).textContent === 'Ben 님 외 2명이 들어왔습니다'`)
}
