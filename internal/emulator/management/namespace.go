package management

import (
	"net/http"
	"time"

	"chatapp/internal/emulator/broker"
)

// describeNamespace returns the description of the namespace.
func (r *request) describeNamespace() (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	b := r.broker()
	return r.one(http.StatusOK, entry{"$namespaceinfo", b.Namespace(), time.Time{}, b.CreatedAt(),
		describe("NamespaceInfo", func(w *writer) {
			w.time("CreatedTime", b.CreatedAt())
			w.text("MessagingSKU", b.Tier().String())
			if b.Tier() == broker.Premium {
				w.number("MessagingUnits", 1)
			}
			w.time("ModifiedTime", b.CreatedAt())
			w.text("Name", b.Namespace())
			w.text("NamespaceType", "Messaging")
		})}), nil
}
