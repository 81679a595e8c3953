package diagnose_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// estate is an API server that lists what it is given, and a service that answers: as little as a diagnosis needs to be whole.
type estate struct {
	nodes       []corev1.Node
	pods        []corev1.Pod
	events      []corev1.Event
	deployments []appsv1.Deployment
	sets        []appsv1.StatefulSet
	logs        map[string]string // by pod
	metrics     map[string]string // by the end of the path

	// answers stand in for what would be listed, by a part of the path.
	answers map[string]http.HandlerFunc
	// service is what the health endpoint does; it answers ok without it.
	service http.HandlerFunc
	site    plan.Site
	plan    plan.Plan
	// asked and written are how many requests came, and how many of them would have changed something.
	asked, written atomic.Int64
}

// anEstate is one that is well: one node, one service of one pod.
func anEstate(t *testing.T) *estate {
	t.Helper()
	yes := []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return &estate{
		nodes: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "node-a1", Labels: map[string]string{corev1.LabelTopologyZone: "1a"}}, Status: corev1.NodeStatus{Conditions: yes}}},
		pods:  []corev1.Pod{aPod("web-1")},
		deployments: []appsv1.Deployment{{
			ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(1))},
			Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1},
		}},
		logs: map[string]string{}, metrics: map[string]string{}, answers: map[string]http.HandlerFunc{},
		plan: plan.Plan{Name: "test", Namespace: "app", Regions: []string{"here"}, Services: []plan.Service{
			{Name: "web", Tier: 1, Region: "here", Deployment: "web", Health: []string{"/health"}, Healthy: "ok"},
		}},
		site: plan.Site{Evidence: t.TempDir()},
	}
}

// aPod is a pod of the Deployment web that is ready.
func aPod(name string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "abc"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-abc", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{NodeName: "node-a1", Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "127.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "main", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
}

// unready is a pod with one container that is not.
func unready(name string, status corev1.ContainerStatus) corev1.Pod {
	pod := aPod(name)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"}}
	status.Name = "main"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	return pod
}

// ServeHTTP is the API server.
func (e *estate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.asked.Add(1)
	if r.Method != http.MethodGet {
		e.written.Add(1)
	}
	for part, answer := range e.answers {
		if strings.Contains(r.URL.Path, part) {
			answer(w, r)
			return
		}
	}
	path := r.URL.Path
	switch last := path[strings.LastIndexByte(path, '/')+1:]; {
	case strings.Contains(path, "metrics.k8s.io"):
		text, served := e.metrics[last]
		if !served {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	case last == "log":
		parts := strings.Split(path, "/")
		_, _ = w.Write([]byte(e.logs[parts[len(parts)-2]]))
	case last == "nodes":
		list(w, "NodeList", corev1.NodeList{Items: e.nodes})
	case last == "pods":
		list(w, "PodList", corev1.PodList{Items: e.pods})
	case last == "events":
		list(w, "EventList", corev1.EventList{Items: e.events})
	case last == "deployments":
		list(w, "DeploymentList", appsv1.DeploymentList{Items: e.deployments})
	case last == "statefulsets":
		list(w, "StatefulSetList", appsv1.StatefulSetList{Items: e.sets})
	case last == "leases":
		list(w, "LeaseList", coordinationv1.LeaseList{})
	default:
		http.NotFound(w, r)
	}
}

func list(w http.ResponseWriter, kind string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	version := "v1"
	switch kind {
	case "DeploymentList", "StatefulSetList":
		version = "apps/v1"
	case "LeaseList":
		version = "coordination.k8s.io/v1"
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"kind":"` + kind + `","apiVersion":"` + version + `",` + string(text[1:])))
}

// clusters has one cluster for every region.
type clusters struct{ cluster kubernetes.Cluster }

func (c clusters) Cluster(string) (kubernetes.Cluster, error) { return c.cluster, nil }

// nobody has credentials for nothing.
type nobody struct{}

func (nobody) For(context.Context, string) (string, string, error) { return "", "", nil }

// diagnose looks at the estate.
func (e *estate) diagnose(t *testing.T) diagnosis.Diagnosis {
	t.Helper()
	return e.look(t, diagnose.Params{ID: "test"})
}

func (e *estate) look(t *testing.T, params diagnose.Params) diagnosis.Diagnosis {
	t.Helper()
	api := serve(t, e)
	answer := e.service
	if answer == nil {
		answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ok"}`)) }
	}
	e.site.Services = []plan.SiteService{{Name: "web", URL: serve(t, answer)}}
	connection, err := client.NewForConfig(&rest.Config{Host: api, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	require.NoError(t, err)
	activities := diagnose.New(clusters{kubernetes.Cluster{Client: connection}}, nobody{}, e.site)
	params.Plan, params.Region = e.plan, "here"
	seen, err := activities.Diagnose(t.Context(), params)
	require.NoError(t, err)
	t.Log(seen.Took.Round(time.Millisecond), seen.Conclusion.Paragraph)
	return seen
}

// serve is a server that is ended without waiting for those who hang on it.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(handler)
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// hang never answers, until whoever asked has gone or the test is over.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// endless says one line again and again and never ends.
func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte("2026-11-23T03:00:00Z error: it goes on\n"))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// forbid answers as an API server does that denies.
func forbid(verb, resource string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"` + resource +
			` is forbidden: User \"worker\" cannot ` + verb + ` resource \"` + resource + `\" in API group \"\" in the namespace \"app\""}`))
	}
}

// redis answers INFO with what is given.
func redis(t *testing.T, info string) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Read(make([]byte, 64))
			if info != "" {
				_, _ = connection.Write([]byte("$" + strconv.Itoa(len(info)) + "\r\n" + info + "\r\n"))
				_ = connection.Close()
			}
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}
