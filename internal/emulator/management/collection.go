package management

import (
	"io"
	"net/http"
)

// collection serves a request for the queues, the topics, the subscriptions of a topic or the rules
// of a subscription. D is the description of an item, I the item with its state.
type collection[D, I any] struct {
	title, path string // of the list

	describe func(content) (d D, name string, err error) // reads the body of a PUT
	create   func(D) error
	update   func(D) error
	remove   func(name string) error
	find     func(name string) (I, error)
	all      func() ([]I, error)
	entry    func(I) entry
}

// list returns a page of all items.
func (c *collection[D, I]) list(r *request) (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	all, err := c.all()
	if err != nil {
		return answer{}, err
	}
	from, to, next, err := r.page(len(all))
	if err != nil {
		return answer{}, err
	}
	var entries []entry
	for _, info := range all[from:to] {
		entries = append(entries, c.entry(info))
	}
	return r.feed(c.title, c.path, entries, next), nil
}

// serve answers a request for one item.
func (c *collection[D, I]) serve(r *request, name string, body io.Reader) (answer, error) {
	switch r.Method {
	case http.MethodGet:
		return c.one(r, name, http.StatusOK)
	case http.MethodDelete:
		return c.delete(name)
	case http.MethodPut:
		content, err := readEntry(body)
		if err != nil {
			return answer{}, err
		}
		return c.put(r, content)
	}
	return answer{}, errMethod
}

func (c *collection[D, I]) one(r *request, name string, status int) (answer, error) {
	info, err := c.find(name)
	if err != nil {
		return answer{}, err
	}
	return r.one(status, c.entry(info)), nil
}

func (c *collection[D, I]) delete(name string) (answer, error) {
	return answer{status: http.StatusOK, contentType: entryType}, c.remove(name)
}

// put creates or updates an item and returns its new state.
func (c *collection[D, I]) put(r *request, from content) (answer, error) {
	d, name, err := c.describe(from)
	if err != nil {
		return answer{}, err
	}
	change, status := c.create, http.StatusCreated
	if r.updates() {
		change, status = c.update, http.StatusOK
	}
	if err := change(d); err != nil {
		return answer{}, err
	}
	return c.one(r, name, status)
}
