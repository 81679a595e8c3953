package power_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/power"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// served serves the power switch of a lab whose machines were never started, on a network no lab uses.
func served(t *testing.T) (*httptest.Server, topology.Folder, string) {
	t.Helper()
	folder := topology.Folder(t.TempDir())
	lab, err := topology.New("10.253.0.0/16", topology.Profiles()[0])
	require.NoError(t, err)
	require.NoError(t, power.EnsurePassword(folder))
	password, err := os.ReadFile(folder.PowerPassword())
	require.NoError(t, err)
	service, err := power.New(folder, lab)
	require.NoError(t, err)
	server := httptest.NewServer(service.Handler())
	t.Cleanup(server.Close)
	return server, folder, string(password)
}

func ask(t *testing.T, method, url, password, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	if password != "" {
		request.SetBasicAuth(power.User, password)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer map[string]any
	_ = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer
}

func TestService_AnswersOnlyWhoKnowsThePassword(t *testing.T) {
	server, _, password := served(t)
	status, _ := ask(t, "GET", server.URL+"/redfish/v1/", "", "")
	require.Equal(t, http.StatusOK, status, "the root of a Redfish service is open")
	for _, wrong := range []string{"", "guessed"} {
		status, _ := ask(t, "GET", server.URL+"/redfish/v1/Systems/node-a1", wrong, "")
		require.Equal(t, http.StatusUnauthorized, status)
		status, _ = ask(t, "POST", server.URL+"/redfish/v1/Systems/node-a1/Actions/ComputerSystem.Reset", wrong, `{"ResetType":"ForceOff"}`)
		require.Equal(t, http.StatusUnauthorized, status)
	}
	status, list := ask(t, "GET", server.URL+"/redfish/v1/Systems", password, "")
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 5, list["Members@odata.count"])
}

func TestService_RefusesWhatItDoesNotKnow(t *testing.T) {
	server, _, password := served(t)
	status, answer := ask(t, "GET", server.URL+"/redfish/v1/Systems/nope", password, "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer["error"].(map[string]any)["message"], "nodes are node-a1")
	for _, body := range []string{"", "[]", `{"ResetType":"Nmi"}`, `{}`} {
		status, _ := ask(t, "POST", server.URL+"/redfish/v1/Systems/node-a1/Actions/ComputerSystem.Reset", password, body)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
}

func TestService_SaysOffOnlyOfAMachineWhoseFirstProcessIsGone(t *testing.T) {
	server, folder, password := served(t)
	_, answer := ask(t, "GET", server.URL+"/redfish/v1/Systems/node-a1", password, "")
	require.Equal(t, "Off", answer["PowerState"], "a machine that was never started")

	first := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, first.Start())
	p, err := process.Of(first.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(folder.Machine("node-a1"), 0o755))
	require.NoError(t, p.Write(folder.Machine("node-a1")+"/init.pid"))
	_, answer = ask(t, "GET", server.URL+"/redfish/v1/Systems/node-a1", password, "")
	require.Equal(t, "On", answer["PowerState"])

	require.NoError(t, os.WriteFile(folder.Machine("node-a1")+"/init.pid", []byte("garbage"), 0o644))
	_, answer = ask(t, "GET", server.URL+"/redfish/v1/Systems/node-a1", password, "")
	require.Equal(t, "On", answer["PowerState"], "what cannot be known is not proof")

	require.NoError(t, p.Write(folder.Machine("node-a1")+"/init.pid"))
	status, _ := ask(t, "POST", server.URL+"/redfish/v1/Systems/node-a1/Actions/ComputerSystem.Reset", password, `{"ResetType":"ForceOff"}`)
	require.Equal(t, http.StatusNoContent, status)
	require.False(t, p.Alive())
	_, answer = ask(t, "GET", server.URL+"/redfish/v1/Systems/node-a1", password, "")
	require.Equal(t, "Off", answer["PowerState"])
	_ = first.Wait()
}
