package backplane

// share is what of the entries that wait is of one account.
type share struct{ count, bytes int }

// mayAppend reports whether there is room for an entry. An account may not have more waiting than is left: so however
// much it appends, there is room for others. While less than half is used that holds for all, and nothing is counted.
func (o *outbox) mayAppend(account string, bytes int, l *Limits) bool {
	left := share{l.MaxWaiting - o.waitingCount, l.MaxWaitingBytes - o.waitingBytes}
	switch {
	case left.count <= 0 || left.bytes < bytes:
		return false
	case account == "":
		return true
	case left.count > l.MaxWaiting/2 && left.bytes-bytes > l.MaxWaitingBytes/2:
		o.shares = nil
		return true
	}
	if o.shares == nil {
		o.shares = make(map[string]share)
		for i := o.head; i < len(o.entries); i++ {
			if forState(o.entries[i].Kind) {
				o.countShare(&o.entries[i], 1)
			}
		}
	}
	of := o.shares[account]
	return of.count < left.count && of.bytes+bytes <= left.bytes
}

func (o *outbox) countShare(e *ownEntry, sign int) {
	if o.shares == nil {
		return
	}
	of := o.shares[e.account]
	of.count, of.bytes = of.count+sign, of.bytes+sign*len(e.Body)
	if of == (share{}) {
		delete(o.shares, e.account)
		return
	}
	o.shares[e.account] = of
}
