package power_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

const password = "a password that nobody may read in a report"

// redfish is a small power service: one system, whose state changes to Off after a number of questions.
type redfish struct {
	status   int // instead of an answer
	body     string
	offAfter int64
	asked    atomic.Int64
}

func (r *redfish) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	asked := r.asked.Add(1)
	username, given, _ := request.BasicAuth()
	switch {
	case r.status != 0:
		http.Error(response, "no", r.status)
	case username != "fukkyu" || given != password:
		http.Error(response, "who are you?", http.StatusUnauthorized)
	case request.URL.Path != "/redfish/v1/Systems/rack 1:c1":
		http.NotFound(response, request)
	case r.body != "":
		fmt.Fprint(response, r.body)
	case asked > r.offAfter:
		fmt.Fprint(response, `{"@odata.id": "/redfish/v1/Systems/c1", "PowerState": "Off"}`)
	default:
		fmt.Fprint(response, `{"@odata.id": "/redfish/v1/Systems/c1", "PowerState": "On"}`)
	}
}

// start serves a power service and returns activities of a site that knows it.
func start(t *testing.T, service *redfish, givenPassword string) *power.Activities {
	t.Helper()
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(givenPassword+"\n"), 0o600))
	return power.New(plan.Site{Regions: []plan.SiteRegion{{Name: "tokyo", Power: &plan.Power{URL: server.URL + "/", Username: "fukkyu",
		PasswordFile: file, Systems: map[string]string{"node-c1": "rack 1:c1", "node-x1": "removed"}}}, {Name: "osaka"}}})
}

func TestReadPower_TellsTheStateOfAMachine(t *testing.T) {
	activities := start(t, &redfish{offAfter: 1}, password)
	result, err := activities.ReadPower(t.Context(), power.ReadPowerParams{Region: "tokyo", Node: "node-c1"})
	require.NoError(t, err)
	require.Equal(t, power.ReadPowerResult{Known: true, State: "On", Said: "machine node-c1 is On"}, result)
	result, err = activities.ReadPower(t.Context(), power.ReadPowerParams{Region: "tokyo", Node: "node-c1"})
	require.NoError(t, err)
	require.Equal(t, power.Off, result.State)
}

func TestReadPower_OfAMachineThatNobodyKnows_IsAResult(t *testing.T) {
	activities := start(t, &redfish{}, password)
	for _, params := range []power.ReadPowerParams{{Region: "tokyo", Node: "node-z9"}, {Region: "osaka", Node: "node-c1"}, {Region: "kyoto", Node: "node-c1"}} {
		result, err := activities.ReadPower(t.Context(), params)
		require.NoError(t, err)
		require.False(t, result.Known)
		require.NotEmpty(t, result.Said)
	}
}

func TestReadPower_WhenTheServiceDoesNotHelp_SaysWhatToDo(t *testing.T) {
	tests := []struct {
		name      string
		service   *redfish
		password  string
		node      string
		kind      string
		permanent bool
		says      string
	}{
		{"refused", &redfish{}, "wrong", "node-c1", failure.Forbidden, true, "see username and passwordFile in the site"},
		{"forbidden", &redfish{status: http.StatusForbidden}, password, "node-c1", failure.Forbidden, true, "403"},
		{"failing", &redfish{status: http.StatusInternalServerError}, password, "node-c1", failure.Unreachable, false, "500"},
		{"an unknown system", &redfish{}, password, "node-x1", failure.NotFound, true, "see systems in the site"},
		{"no JSON", &redfish{body: "<html>"}, password, "node-c1", failure.Unexpected, false, "no PowerState"},
		{"no state", &redfish{body: `{"PowerState": null}`}, password, "node-c1", failure.Unexpected, false, "no PowerState"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := start(t, test.service, test.password).ReadPower(t.Context(), power.ReadPowerParams{Region: "tokyo", Node: test.node})
			var failed *temporal.ApplicationError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.kind, failed.Type())
			require.Equal(t, test.permanent, failed.NonRetryable())
			require.Contains(t, err.Error(), test.says)
			require.NotContains(t, err.Error(), password)
		})
	}
}

func TestAwaitOff_WaitsUntilTheMachineIsOff(t *testing.T) {
	service := &redfish{offAfter: 3}
	result, err := start(t, service, password).AwaitOff(t.Context(), power.AwaitOffParams{Region: "tokyo", Node: "node-c1", Patience: 10 * time.Second})
	require.NoError(t, err)
	require.True(t, result.Off)
	require.Contains(t, result.Proof, "node-c1 as Off")
	require.EqualValues(t, 4, service.asked.Load())
}

func TestAwaitOff_ProvesNothing(t *testing.T) {
	tests := []struct {
		name     string
		service  *redfish
		password string
		node     string
		seen     string
		once     bool
	}{
		{"while the machine is on", &redfish{offAfter: 1000}, password, "node-c1", "is On", false},
		{"while it powers off", &redfish{body: `{"PowerState": "PoweringOff"}`}, password, "node-c1", "is PoweringOff", false},
		{"when the service fails", &redfish{status: http.StatusInternalServerError}, password, "node-c1", "500", false},
		{"when the service refuses us, whom it would lock out", &redfish{}, "wrong", "node-c1", "401", true},
		{"when the service does not know the system", &redfish{}, password, "node-x1", "does not know the system", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := start(t, test.service, test.password).AwaitOff(t.Context(), power.AwaitOffParams{Region: "tokyo", Node: test.node, Patience: time.Second})
			require.NoError(t, err)
			require.False(t, result.Off)
			require.Empty(t, result.Proof)
			require.Contains(t, result.Seen, test.seen)
			require.Equal(t, test.once, test.service.asked.Load() == 1)
		})
	}
}

func TestAwaitOff_OfAServiceThatHangs_EndsWithItsPatience(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its requests
	activities := power.New(plan.Site{Regions: []plan.SiteRegion{{Name: "tokyo", Power: &plan.Power{URL: server.URL, Systems: map[string]string{"node-c1": "c1"}}}}})
	began := time.Now()
	result, err := activities.AwaitOff(t.Context(), power.AwaitOffParams{Region: "tokyo", Node: "node-c1", Patience: 200 * time.Millisecond})
	require.NoError(t, err)
	require.False(t, result.Off)
	require.NotEmpty(t, result.Seen)
	require.Less(t, time.Since(began), 2*time.Second)
}
