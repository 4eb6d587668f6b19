package servicebus

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// Options selects the topic and how to reach it.
type Options struct {
	// Exactly one of ConnectionString and Namespace is set. Namespace is fully qualified, such as
	// chat.servicebus.windows.net, and is reached with Credential. A nil Credential is azidentity's default
	// one, which includes the platform's managed identity.
	ConnectionString string
	Namespace        string
	Credential       azcore.TokenCredential

	// Topic is the topic's name; "chat".
	Topic string
	// Queue is the name of the queue in which one instance gathers the batches of all; the topic's name and
	// "-batches". It requires sessions. An instance that may manage creates it. Without it, every
	// instance sends to the topic.
	Queue string
	// Subscription names an existing subscription, for identities that may not create any. Nothing
	// is created or removed then.
	Subscription string
	// Archive has what is published to all kept in a subscription that no instance owns, until Drain's caller
	// completes it. An instance that may manage creates it.
	Archive bool
	// Name is the first part of the instance's name; a random suffix follows; "instance".
	Name string
	// EmulatorHTTPPort is the port of an emulator's management over plain HTTP; 5300. It matters
	// only with a connection string that says UseDevelopmentEmulator=true.
	EmulatorHTTPPort int

	// Logger receives warnings about waiting and repairs; nil discards.
	Logger *slog.Logger

	// retry is the first pause after a failure; tests shorten it.
	retry time.Duration
}

// maxName is Service Bus's limit for the name of a subscription, in characters.
const maxName = 50

const suffixBytes = 4

func (o *Options) setDefaults() {
	if o.Topic == "" {
		o.Topic = "chat"
	}
	if o.Queue == "" {
		o.Queue = o.Topic + "-batches"
	}
	if o.Name == "" {
		o.Name = "instance"
	}
	if o.EmulatorHTTPPort == 0 {
		o.EmulatorHTTPPort = 5300
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.retry == 0 {
		o.retry = time.Second
	}
}

// instanceName makes a name that no other process has, and that is valid for a subscription.
func instanceName(name string) string {
	var suffix [suffixBytes]byte
	rand.Read(suffix[:])
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '-'
	}, name)
	clean = clean[:min(len(clean), maxName-1-2*suffixBytes)]
	return strings.Trim(clean, "-._") + "-" + hex.EncodeToString(suffix[:])
}

// endpoint is where and how to reach Service Bus.
type endpoint struct {
	host          string // with port where one was given
	emulator      bool
	administering string // connection string for management
}

var errNoEndpoint = errors.New("neither a connection string nor a namespace is given")

// parseEndpoint checks the settings without opening a connection. Its errors never contain a key.
func parseEndpoint(o *Options) (endpoint, error) {
	switch {
	case o.ConnectionString != "" && o.Namespace != "":
		return endpoint{}, errors.New("both a connection string and a namespace are given")
	case o.Namespace != "":
		if strings.ContainsAny(o.Namespace, "/ ;") {
			return endpoint{}, fmt.Errorf("namespace %q is not a host name", o.Namespace)
		}
		return endpoint{host: o.Namespace}, nil
	case o.ConnectionString == "":
		return endpoint{}, errNoEndpoint
	}
	return parseConnectionString(o.ConnectionString, o.EmulatorHTTPPort)
}

func parseConnectionString(s string, emulatorPort int) (endpoint, error) {
	parts := make(map[string]string)
	var others []string
	for part := range strings.SplitSeq(s, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if strings.TrimSpace(part) == "" {
			continue
		}
		if !found {
			return endpoint{}, errors.New("connection string: a part is not of the form name=value")
		}
		parts[strings.ToLower(name)] = value
		if !strings.EqualFold(name, "Endpoint") {
			others = append(others, part)
		}
	}
	u, err := url.Parse(parts["endpoint"])
	switch {
	case parts["endpoint"] == "":
		return endpoint{}, errors.New("connection string: no Endpoint")
	case err != nil || u.Scheme != "sb" || u.Host == "":
		return endpoint{}, fmt.Errorf("connection string: Endpoint %q is not of the form sb://host/", parts["endpoint"])
	case parts["sharedaccesssignature"] == "" && (parts["sharedaccesskeyname"] == "" || parts["sharedaccesskey"] == ""):
		return endpoint{}, errors.New("connection string: " +
			"neither SharedAccessKeyName and SharedAccessKey nor SharedAccessSignature")
	}
	e := endpoint{host: u.Host, emulator: strings.EqualFold(parts["usedevelopmentemulator"], "true"), administering: s}
	if e.emulator {
		e.administering = "Endpoint=sb://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(emulatorPort)) +
			";" + strings.Join(others, ";")
	}
	return e, nil
}
