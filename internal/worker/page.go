package worker

import "chatapp/web"

// page reads what the operator has chosen of the page.
func (v *variables) page() web.Settings {
	s := web.Settings{
		Title: v.text("PAGE_TITLE", ""), Logo: v.text("PAGE_LOGO", ""), Accent: v.list("PAGE_ACCENT"),
		Room: v.text("PAGE_ROOM", ""), Parts: v.list("PAGE_PARTS"), Languages: v.list("PAGE_LANGUAGES"),
		EmbedOrigins: v.list("EMBED_ORIGINS"),
	}
	if err := s.Check(); err != nil {
		v.errs = append(v.errs, err)
	}
	return s
}
