package allowance

// SetMaxIdle bounds how many accounts that nobody uses a Table keeps.
func (t *Table) SetMaxIdle(n int) { t.idle = n }
