package metrics_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/metrics"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	nodeA = `{"node": {"nodeName": "node-a1", "cpu": {"time": "2026-11-23T10:00:00Z", "usageNanoCores": 39286916}, "memory": {"workingSetBytes": 102240256}},
	"pods": [
		{"podRef": {"name": "web-1", "namespace": "shodo"}, "containers": [
			{"name": "web", "cpu": {"time": "2026-11-23T10:00:00Z", "usageNanoCores": 9690685}, "memory": {"workingSetBytes": 7176192}},
			{"name": "side", "cpu": {"time": "2026-11-23T10:00:02Z", "usageNanoCores": 0}, "memory": {"workingSetBytes": 1024}}]},
		{"podRef": {"name": "young", "namespace": "shodo"}, "containers": [
			{"name": "old", "cpu": {"time": "2026-11-23T10:00:00Z", "usageNanoCores": 1}, "memory": {"workingSetBytes": 1024}},
			{"name": "new", "cpu": {"time": "2026-11-23T10:00:00Z"}, "memory": {"workingSetBytes": 1024}}]},
		{"podRef": {"name": "empty", "namespace": "shodo"}, "containers": []}]}`
	nodeB = `{"node": {"nodeName": "node-b1", "cpu": {"time": "2026-11-23T10:00:00Z", "usageNanoCores": 1}, "memory": {"workingSetBytes": 2048}},
	"pods": [{"podRef": {"name": "dns", "namespace": "kube-system"}, "containers": [
		{"name": "dns", "cpu": {"time": "2026-11-23T10:00:00Z", "usageNanoCores": 5}, "memory": {"workingSetBytes": 4096}}]}]}`
	youngNode = `{"node": {"nodeName": "node-c1", "memory": {"workingSetBytes": 1}}, "pods": []}`
)

// serving is the metrics API in front of kubelets that say this.
func serving(t *testing.T, kubelets map[string]string) *metrics.Server {
	t.Helper()
	server := &metrics.Server{Kubelets: map[string]string{}, Client: http.DefaultClient}
	for name, says := range kubelets {
		kubelet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/stats/summary" || says == "" {
				http.Error(w, "", http.StatusInternalServerError)
				return
			}
			_, _ = w.Write([]byte(says))
		}))
		t.Cleanup(kubelet.Close)
		server.Kubelets[name] = kubelet.URL
	}
	return server
}

func get(t *testing.T, server *metrics.Server, path string) (code int, body string) {
	t.Helper()
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis/metrics.k8s.io/v1beta1"+path, nil))
	return answer.Code, answer.Body.String()
}

// named are the names of a list, in its order.
func named(t *testing.T, body string) []string {
	t.Helper()
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	names := []string{}
	for _, item := range list.Items {
		names = append(names, item.Metadata.Name)
	}
	return names
}

func TestNodes_OfSeveralKubelets_AreListedByName(t *testing.T) {
	code, body := get(t, serving(t, map[string]string{"b": nodeB, "a": nodeA}), "/nodes")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, []string{"node-a1", "node-b1"}, named(t, body))
	require.Contains(t, body, `"usage":{"cpu":"39286916n","memory":"99844Ki"}`)
	require.Contains(t, body, `"kind":"NodeMetricsList"`)
}

func TestPods_OfOneNamespace_HaveAFigureForEachContainer(t *testing.T) {
	server := serving(t, map[string]string{"b": nodeB, "a": nodeA})
	_, body := get(t, server, "/namespaces/shodo/pods")
	require.Equal(t, []string{"web-1"}, named(t, body), "a pod with a container that was looked at once only, or with none, has no figures yet")
	require.Contains(t, body, `"containers":[{"name":"web","usage":{"cpu":"9690685n","memory":"7008Ki"}},{"name":"side","usage":{"cpu":"0n","memory":"1Ki"}}]`)
	require.Contains(t, body, `"timestamp":"2026-11-23T10:00:02Z"`)
	_, body = get(t, server, "/pods")
	require.Equal(t, []string{"dns", "web-1"}, named(t, body))
}

func TestNodes_KubeletIsSilentOrHasLookedOnce_IsLeftOut(t *testing.T) {
	server := serving(t, map[string]string{"a": nodeA, "broken": "", "nonsense": "{", "young": youngNode})
	server.Kubelets["gone"] = "http://127.0.0.1:1"
	code, body := get(t, server, "/nodes")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, []string{"node-a1"}, named(t, body))
}

func TestNodes_NoKubeletAnswers_IsAnEmptyList(t *testing.T) {
	_, body := get(t, serving(t, nil), "/nodes")
	require.Contains(t, body, `"items":[]`)
}

func TestSingle_IsServedOrNotFound(t *testing.T) {
	server := serving(t, map[string]string{"a": nodeA})
	for path, wanted := range map[string]int{
		"/nodes/node-a1": http.StatusOK, "/nodes/nope": http.StatusNotFound, "/namespaces/shodo/pods/web-1": http.StatusOK,
		"/namespaces/other/pods/web-1": http.StatusNotFound, "/nonsense": http.StatusNotFound, "": http.StatusOK,
	} {
		code, body := get(t, server, path)
		require.Equal(t, wanted, code, "%s: %s", path, body)
	}
}

func TestList_WithASelector_IsRefused(t *testing.T) {
	code, body := get(t, serving(t, map[string]string{"a": nodeA}), "/nodes?labelSelector=zone%3Da")
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, body, "takes no labelSelector")
}

func TestNew_NeedsWhatTheAuthorityIssued(t *testing.T) {
	lab, err := topology.New(topology.DefaultNetwork, topology.Profiles()[0])
	require.NoError(t, err)
	folder, region := topology.Folder(t.TempDir()), lab.Regions[0]
	_, err = metrics.New(folder, region)
	require.ErrorContains(t, err, "read the authority of ap-northeast-1")
	require.NoError(t, authority.Ensure(folder.Authority(region.Name), region))
	server, err := metrics.New(folder, region)
	require.NoError(t, err)
	require.Equal(t, "https://10.77.1.11:10250", server.Kubelets["node-a1"])
}
