package infra

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRepeatedDeploymentKeepsImageAndScale checks that a deployment creates App Service's plan and site only where they
// do not exist: what a template says of an existing one would undo what azd and autoscale did since.
func TestRepeatedDeploymentKeepsImageAndScale(t *testing.T) {
	t.Parallel()
	path, err := filepath.Abs("modules/appservice.bicep")
	if err != nil {
		t.Fatal(err)
	}
	var compiled struct {
		Resources map[string]struct {
			Type    string
			Options struct{ OnlyIfNotExists []any } `json:"@options"`
			// What the child resources of the site set again at each deployment.
			Properties json.RawMessage
			DependsOn  []string
		}
	}
	if err := json.Unmarshal([]byte(template(t, path)), &compiled); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plan", "site"} {
		if one, ok := compiled.Resources[name]; !ok || one.Options.OnlyIfNotExists == nil {
			t.Errorf("the resource %s is deployed also where it exists", name)
		}
	}
	for name, one := range compiled.Resources {
		if name != "site" && strings.Contains(string(one.Properties), "linuxFxVersion") {
			t.Errorf("the resource %s sets the image again", name)
		}
		// The worker trusts the header only once sign-in is on, and sign-in is off only once it no longer does.
		if name == "site::appSettings" && !slices.Contains(one.DependsOn, "authOn") {
			t.Errorf("the settings depend on %q, want sign-in before", one.DependsOn)
		}
		if name == "authOff" && !slices.Contains(one.DependsOn, "site::appSettings") {
			t.Errorf("sign-in is off after %q, want the settings before", one.DependsOn)
		}
	}
}

// TestSwitchesAreDeployedOffToo checks that each option has its resources in the deployment also where it is off: Azure
// Resource Manager never removes what a template no longer has.
func TestSwitchesAreDeployedOffToo(t *testing.T) {
	const (
		ofApp   = "Microsoft.App/containerApps/authConfigs"
		ofSite  = "Microsoft.Web/sites/config"
		enabled = "properties.platform.enabled"
	)
	for _, test := range []struct {
		deployment, kind, end, path string
		want                        any
	}{
		{"chat", ofApp, "/current", enabled, false},
		{"chat-domain-signin", ofApp, "/current", enabled, true},
		{"appservice", ofSite, "/authsettingsV2", enabled, false},
		{"appservice-domain-signin", ofSite, "/authsettingsV2", enabled, true},
		{"appservice", ofSite, "/web", "properties.healthCheckPath", "/healthz"},
		{"default", "Microsoft.Insights/actionGroups", "", "properties.enabled", false},
		{"monitored", "Microsoft.Insights/actionGroups", "", "properties.enabled", true},
		{"monitored", "Microsoft.Consumption/budgets", "", "properties.notifications.forecast.enabled", true},
	} {
		one := recorded(t, test.deployment).find(t, test.kind, test.end)
		if got := one.at(test.path); got != test.want {
			t.Errorf("%s: %s of %s is %v, want %v", test.deployment, test.path, one.id(), got, test.want)
		}
	}
	for name, want := range map[string]bool{"default": false, "monitored": true} {
		for _, one := range recorded(t, name).Resources {
			kind, _ := one["type"].(string)
			alert := kind == "Microsoft.Insights/metricAlerts" || kind == "Microsoft.Insights/scheduledQueryRules"
			if alert && one.at("properties.enabled") != want {
				t.Errorf("%s: the alert %s is not switched: %v", name, one.id(), one.at("properties.enabled"))
			}
		}
	}
}

// TestStoreIsLeftOut checks that the account, its alert, and the address in the settings are there unless CHAT_STORE is
// none.
func TestStoreIsLeftOut(t *testing.T) {
	for name, want := range map[string]bool{"default": true, "private": true, "appservice": true, "nostore": false} {
		text, err := json.Marshal(recorded(t, name).Resources)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"Microsoft.Storage/storageAccounts/", "metricAlerts/store-unavailable-"} {
			if got := strings.Contains(string(text), part); got != want {
				t.Errorf("%s has %s: %v, want %v", name, part, got, want)
			}
		}
	}
	// A topic that an archive without a reader fills refuses all sends.
	const subscription = "Microsoft.ServiceBus/namespaces/topics/subscriptions"
	const ttl = "properties.defaultMessageTimeToLive"
	for name, want := range map[string]any{"default": nil, "nostore": "PT1M"} {
		if got := recorded(t, name).find(t, subscription, "/archive").at(ttl); got != want {
			t.Errorf("%s: messages of the archive live for %v, want %v", name, got, want)
		}
	}
	private := recorded(t, "private").find(t, "Microsoft.Storage/storageAccounts", "")
	if got := private.at("properties.publicNetworkAccess"); got != "Disabled" {
		t.Errorf("with private networking the store answers public networks: %v", got)
	}
	recorded(t, "private").find(t, "Microsoft.Network/privateDnsZones", "/privatelink.table.core.windows.net")
	zones := recorded(t, "zones").find(t, "Microsoft.Storage/storageAccounts", "")
	if got := zones.at("sku.name"); got != "Standard_ZRS" {
		t.Errorf("with zones the store is %v, want Standard_ZRS", got)
	}
}

// TestHeaderIsTrustedWithSignInOnly checks that the worker believes a name in a header only where the platform signs
// people in, and so removes the header from what clients send.
func TestHeaderIsTrustedWithSignInOnly(t *testing.T) {
	for name, want := range map[string]bool{
		"chat": false, "chat-domain-signin": true, "appservice": false, "appservice-domain-signin": true,
	} {
		text, err := json.Marshal(recorded(t, name).Resources)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), "NICKNAME_HEADER"); got != want {
			t.Errorf("%s: NICKNAME_HEADER is set: %v, want %v", name, got, want)
		}
		if !strings.Contains(string(text), "TRUSTED_PROXIES") {
			t.Errorf("%s: TRUSTED_PROXIES is not set", name)
		}
	}
}
