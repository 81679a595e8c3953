package diagnose_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// longestDiagnosis is what a diagnosis may take, however much of the estate hangs.
const longestDiagnosis = 10 * time.Second

func TestDiagnose_EstateIsWell_SaysSoAndKeepsABundle(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.logs["web-1"] = "2026-11-23T03:00:00Z all is well\n2026-11-23T03:00:01Z error: login to postgres://app:hunter2@db:5432/app failed\n"
	e.metrics["nodes"] = `{"items":[{"metadata":{"name":"node-a1"},"usage":{"cpu":"250m","memory":"512Mi"}}]}`
	e.metrics["pods"] = `{"items":[{"metadata":{"name":"web-1"},"containers":[{"usage":{"cpu":"10m","memory":"1Mi"}},{"usage":{"cpu":"5m","memory":"1Mi"}}]}]}`
	seen := e.diagnose(t)
	require.True(t, seen.Healthy(), seen.Conclusion.Paragraph)
	require.Empty(t, seen.Unanswered)
	require.Equal(t, []diagnosis.Used{{Name: "node-a1", CPU: 250, Memory: 512 << 20}}, seen.Usage.Nodes)
	require.Equal(t, []diagnosis.Used{{Name: "web-1", CPU: 15, Memory: 2 << 20}}, seen.Usage.Pods)
	require.Equal(t, 1, seen.Logs[0].Errors)
	require.NotContains(t, seen.Logs[0].Last, "hunter2")

	folder, err := os.Stat(seen.Bundle)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	text, err := os.ReadFile(filepath.Join(seen.Bundle, "diagnosis.json"))
	require.NoError(t, err)
	var kept diagnosis.Diagnosis
	require.NoError(t, json.Unmarshal(text, &kept))
	require.Equal(t, seen.Conclusion, kept.Conclusion)
	page, err := os.ReadFile(filepath.Join(seen.Bundle, "diagnosis.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), seen.Conclusion.Paragraph)
	require.Equal(t, map[string]string{"web/web-1.log": "2026-11-23T03:00:01Z error: login to postgres://app:***@db:5432/app failed\n"}, unpack(t, seen.Bundle))
}

func unpack(t *testing.T, folder string) map[string]string {
	t.Helper()
	packed, err := os.Open(filepath.Join(folder, "logs.tar.gz"))
	require.NoError(t, err)
	defer packed.Close()
	uncompressed, err := gzip.NewReader(packed)
	require.NoError(t, err)
	files := map[string]string{}
	for archive := tar.NewReader(uncompressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name] = string(text)
	}
}

// withSilentStores gives the estate a database whose only server listens on a port and never says anything, and a Redis like it.
func withSilentStores(t *testing.T, e *estate) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	one := int32(1)
	set := func(name string) appsv1.StatefulSet {
		return appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}, Spec: appsv1.StatefulSetSpec{Replicas: &one},
			Status: appsv1.StatefulSetStatus{ReadyReplicas: 1, UpdatedReplicas: 1},
		}
	}
	pod := func(name, set string) corev1.Pod {
		pod := aPod(name)
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: set, Controller: new(true)}}
		pod.Labels = nil
		return pod
	}
	e.sets = []appsv1.StatefulSet{set("db"), set("cache")}
	e.pods = append(e.pods, pod("db-0", "db"), pod("cache-0", "cache"))
	e.pods[1].OwnerReferences[0].UID = "uid-db"
	object := func(kind, version, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,%s}`, kind, version, text)
		}
	}
	e.answers["/configmaps/db-role"] = object("ConfigMap", "v1", `"data":{"primary":"db-0","epoch":"1"}`)
	e.answers["/services/db"] = object("Service", "v1", `"spec":{"selector":{"statefulset.kubernetes.io/pod-name":"db-0"}}`)
	e.answers["/statefulsets/db"] = object("StatefulSet", "apps/v1", `"metadata":{"name":"db","uid":"uid-db"},"spec":{"replicas":1}`)
	port := listener.Addr().(*net.TCPAddr).Port
	e.plan.Databases = []plan.Database{{Name: "db", Region: "here", Catalog: "db", Port: port, Primary: "db", Container: "main", Service: "db", Role: "db-role"}}
	e.plan.Redis = []plan.Redis{{Name: "cache", Region: "here", Port: redis(t, ""), Master: "cache", Container: "main"}}
}

func TestDiagnose_HalfOfTheEstateHangs_EndsInTimeAndNamesIt(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	withSilentStores(t, e)
	e.service = hang
	e.answers["/log"] = hang
	e.answers["/events"] = hang
	e.answers["metrics.k8s.io"] = hang
	e.plan.Dependencies = []plan.Dependency{{Name: "object-store"}}
	e.site.Dependencies = []plan.SiteDependency{{Name: "object-store", URL: serve(t, http.HandlerFunc(hang))}}
	began := time.Now()
	seen := e.diagnose(t)
	require.Less(t, time.Since(began), longestDiagnosis)
	require.Equal(t, diagnosis.StateBroken, seen.Conclusion.State)
	require.True(t, seen.Nodes[0].Mute)
	require.False(t, seen.Databases[0].Instances[0].Answers)
	require.False(t, seen.Redis[0].Answers)
	require.False(t, seen.Endpoints[0].OK)
	require.False(t, seen.Dependencies[0].OK)
	for _, named := range []string{"node-a1", "db", "cache", "object-store", "list events"} {
		require.Contains(t, subjects(seen), named)
	}
	require.Equal(t, "fukkyu run full-outage --by $USER", seen.Conclusion.Command)
}

func subjects(seen diagnosis.Diagnosis) []string {
	var names []string
	for _, finding := range seen.Findings {
		names = append(names, finding.Subject)
	}
	return names
}

func TestDiagnose_APIServerHangs_EndsInTimeAndLooksAtTheRest(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.answers["/"] = hang
	began := time.Now()
	seen := e.diagnose(t)
	require.Less(t, time.Since(began), longestDiagnosis)
	require.Equal(t, diagnosis.StateUnknown, seen.Conclusion.State)
	require.True(t, seen.Endpoints[0].OK)
	require.Equal(t, diagnosis.AreaCluster, seen.Findings[0].Area)
	require.NotEmpty(t, seen.Bundle)
}

func TestDiagnose_APIServerAnswers500_IsBrokenAndNeverAllHealthy(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.answers["/"] = func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "etcd is away", http.StatusInternalServerError)
	}
	seen := e.diagnose(t)
	require.Equal(t, diagnosis.StateUnknown, seen.Conclusion.State)
	require.Contains(t, seen.Conclusion.Paragraph, "etcd is away")
}

func TestDiagnose_PermissionIsMissing_NamesVerbAndResource(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.answers["/events"] = forbid("list", "events")
	e.answers["/log"] = forbid("get", "pods/log")
	e.pods = append(e.pods, aPod("web-2"))
	seen := e.diagnose(t)
	require.Equal(t, diagnosis.StateDegraded, seen.Conclusion.State)
	var needs []string
	for _, probe := range seen.Unanswered {
		needs = append(needs, probe.Needs)
	}
	require.ElementsMatch(t, []string{"list events in namespace app", "get pods/log in namespace app"}, needs)
	require.Contains(t, seen.Findings[0].Said, "see the Roles in deployments/kubernetes")
}

func TestDiagnose_NamespaceIsEmpty_IsBroken(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.pods, e.deployments = nil, nil
	seen := e.diagnose(t)
	require.Equal(t, diagnosis.StateBroken, seen.Conclusion.State)
	require.Contains(t, seen.Conclusion.Paragraph, "the namespace is empty")
	require.Empty(t, seen.Conclusion.Command)
}

func TestDiagnose_LogNeverEnds_IsLeftBehind(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.pods = append(e.pods, aPod("web-2"))
	e.answers["/web-1/log"] = endless
	e.logs["web-2"] = "fatal: gone\n"
	began := time.Now()
	seen := e.diagnose(t)
	require.Less(t, time.Since(began), longestDiagnosis)
	require.Len(t, seen.Logs, 1)
	require.Contains(t, seen.Unanswered[0].Asked, "web-1")
}

// The API server itself may not reach any kubelet. That says nothing of the machines.
// onTwoNodes is an estate that is well, with a pod of its service on each of two nodes.
func onTwoNodes(t *testing.T) *estate {
	t.Helper()
	e := anEstate(t)
	e.nodes = append(e.nodes, e.nodes[0])
	e.nodes[1].Name = "node-b1"
	e.pods = append(e.pods, aPod("web-2"))
	e.pods[1].Spec.NodeName = "node-b1"
	return e
}

func TestDiagnose_NoKubeletOfSeveralAnswers_CallsNoNodeHanging(t *testing.T) {
	t.Parallel()
	e := onTwoNodes(t)
	e.answers["/log"] = hang
	seen := e.diagnose(t)
	require.False(t, seen.Nodes[0].Mute || seen.Nodes[1].Mute)
	require.Len(t, seen.Unanswered, 2)
}

func TestDiagnose_OneKubeletOfSeveralIsSilent_NamesItsNode(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]diagnose.Params{"by a diagnosis": {ID: "test"}, "by a glance": {Glance: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onTwoNodes(t)
			e.answers["/web-2/log"] = hang
			seen := e.look(t, params)
			require.False(t, seen.Nodes[0].Mute)
			require.True(t, seen.Nodes[1].Mute)
			require.Empty(t, seen.Unanswered)
			require.Equal(t, diagnosis.StateDegraded, seen.Conclusion.State)
			require.Contains(t, seen.Conclusion.Paragraph, "node-b1: its kubelet does not answer")
		})
	}
}

// A glance finds the same parts to be sick as a diagnosis does. It asks for no events and no usage, and for a few logs of each node.
func TestDiagnose_Glance_FindsWhoIsSickAndAsksForNothingThatWouldExplainIt(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	withSilentStores(t, e)
	for i := range 20 {
		e.pods = append(e.pods, aPod(fmt.Sprintf("web-%d", i+2)))
	}
	e.service = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	whole := e.look(t, diagnose.Params{ID: "test"})
	before := e.asked.Load()
	for _, explains := range []string{"/events", "metrics.k8s.io"} {
		e.answers[explains] = func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a glance asked for %s", r.URL.Path) }
	}
	glance := e.look(t, diagnose.Params{Glance: true})
	require.Less(t, e.asked.Load()-before, before)
	names := func(seen diagnosis.Diagnosis) (names []string) {
		for _, patient := range diagnosis.Patients(e.plan, seen) {
			names = append(names, patient.Name)
		}
		return names
	}
	require.Equal(t, names(whole), names(glance))
	require.ElementsMatch(t, []string{"db", "cache", "web"}, names(glance))
	require.Empty(t, glance.Bundle)
	require.Empty(t, glance.Logs)
}

func TestDiagnose_EndpointAnswersWrongly_SaysWhat(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		service http.HandlerFunc
		says    string
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no disk, password=hunter2", http.StatusInternalServerError)
		}, "answers 500: no disk, password=***"},
		{"200 with a wrong body", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("maintenance")) }, `answers 200, but without "ok": maintenance`},
		{"headers and then nothing", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			hang(w, r)
		}, "does not answer within 2s"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := anEstate(t)
			e.service = c.service
			seen := e.diagnose(t)
			require.False(t, seen.Endpoints[0].OK)
			require.Equal(t, c.says, seen.Endpoints[0].Said)
			require.Equal(t, "fukkyu run service-recovery --service web --by $USER", seen.Conclusion.Command)
		})
	}
}

func TestDiagnose_PodIsNotWell_SaysWhy(t *testing.T) {
	t.Parallel()
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "as Kubernetes says it"}}
	}
	ended := func(reason string, code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, FinishedAt: metav1.Now()}}
	}
	unscheduled := unready("web-1", corev1.ContainerStatus{})
	unscheduled.Spec.NodeName = ""
	unscheduled.Status.Conditions = append(unscheduled.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available: insufficient cpu"})
	killed := aPod("web-1")
	killed.Status.ContainerStatuses[0].LastTerminationState, killed.Status.ContainerStatuses[0].RestartCount = ended("OOMKilled", 137), 1
	cases := []struct {
		name, trouble, says string
		pod                 corev1.Pod
		events              []corev1.Event
	}{
		{name: "crash loop", trouble: diagnosis.CrashLoop, says: "exit 3", pod: unready("web-1", corev1.ContainerStatus{State: waiting("CrashLoopBackOff"), LastTerminationState: ended("Error", 3), RestartCount: 4})},
		{name: "crash loop between two starts", trouble: diagnosis.CrashLoop, says: "restarts: 4", pod: unready("web-1", corev1.ContainerStatus{LastTerminationState: ended("Error", 3), RestartCount: 4})},
		{name: "missing image", trouble: diagnosis.MissingImage, says: "ImagePullBackOff: as Kubernetes says it", pod: unready("web-1", corev1.ContainerStatus{State: waiting("ImagePullBackOff")})},
		{name: "bad configuration", trouble: diagnosis.BadConfig, says: "CreateContainerConfigError", pod: unready("web-1", corev1.ContainerStatus{State: waiting("CreateContainerConfigError")})},
		{name: "out of memory", trouble: diagnosis.OutOfMemory, says: "OOMKilled", pod: unready("web-1", corev1.ContainerStatus{State: waiting("CrashLoopBackOff"), LastTerminationState: ended("OOMKilled", 137), RestartCount: 2})},
		{name: "out of memory, up again", trouble: diagnosis.OutOfMemory, says: "restarts: 1", pod: killed},
		{name: "no node", trouble: diagnosis.Unschedulable, says: "insufficient cpu", pod: unscheduled},
		{name: "probe", trouble: diagnosis.NotReady, says: "Readiness probe failed: 503", pod: unready("web-1", corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}), events: []corev1.Event{{
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web-1"}, Type: corev1.EventTypeWarning, Reason: "Unhealthy", Message: "Readiness probe failed: 503", Count: 7, LastTimestamp: metav1.Now(),
		}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := anEstate(t)
			e.pods, e.events = []corev1.Pod{c.pod}, c.events
			if !seenReady(c.pod) {
				e.deployments[0].Status.ReadyReplicas = 0
			}
			seen := e.diagnose(t)
			require.Len(t, seen.Pods, 1)
			require.Equal(t, c.trouble, seen.Pods[0].Trouble)
			require.Contains(t, seen.Pods[0].Said, c.says)
			require.Equal(t, "web", seen.Pods[0].Workload)
			require.Equal(t, seenReady(c.pod), seen.Healthy())
		})
	}
}

func seenReady(pod corev1.Pod) bool { return pod.Status.Conditions[0].Status == corev1.ConditionTrue }

func TestDiagnose_RedisCannotSave_IsFound(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	withSilentStores(t, e)
	e.plan.Databases = nil
	e.plan.Redis[0].Port = redis(t, "# Persistence\r\nloading:0\r\nrdb_last_bgsave_status:err\r\naof_enabled:1\r\naof_last_write_status:err\r\nrole:master\r\n")
	seen := e.diagnose(t)
	require.True(t, seen.Redis[0].Master)
	require.Equal(t, diagnosis.StateDegraded, seen.Conclusion.State)
	require.Contains(t, seen.Conclusion.Paragraph, "could not save its snapshot")
	require.Contains(t, seen.Conclusion.Paragraph, "could not write its append-only file")
}

func TestDiagnose_DependencyIsDead_IsNamed(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	failing := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusServiceUnavailable) }))
	denying := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you?", http.StatusForbidden) }))
	e.plan.Dependencies = []plan.Dependency{{Name: "tcp"}, {Name: "dns"}, {Name: "url"}, {Name: "lives"}}
	e.site.Dependencies = []plan.SiteDependency{
		{Name: "tcp", TCP: closed.Addr().String()}, {Name: "dns", DNS: "nowhere.invalid"},
		{Name: "url", URL: strings.Replace(failing, "://", "://user:hunter2@", 1) + "/?token=hunter2"}, {Name: "lives", URL: denying},
	}
	seen := e.diagnose(t)
	for _, dependency := range seen.Dependencies {
		require.Equal(t, dependency.Name == "lives", dependency.OK, dependency.Said)
	}
	text, err := json.Marshal(seen)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
}

// Temporal takes results of 2 MB. A diagnosis stays far below, whatever is broken.
func TestDiagnose_HundredsOfPodsAreSick_StaysSmallAndSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.pods = nil
	long := strings.Repeat("the reason is long ", 200)
	for i := range 600 {
		e.pods = append(e.pods, unready(fmt.Sprintf("web-%d", i), corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: long}}}))
		e.events = append(e.events, corev1.Event{Type: corev1.EventTypeWarning, Reason: fmt.Sprintf("Failed%d", i), Message: long, LastTimestamp: metav1.Now()})
	}
	e.deployments[0].Status.ReadyReplicas = 0
	seen := e.diagnose(t)
	text, err := json.Marshal(seen)
	require.NoError(t, err)
	require.Less(t, len(text), 512<<10)
	require.Contains(t, seen.LeftOut, "400 pods")
	require.Equal(t, 600, seen.Counted.Pods)
}

func TestDiagnose_EvidenceStoreIsNotThere_IsAFindingAndNotTheEnd(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	e.site.Evidence = filepath.Join(e.site.Evidence, "file")
	require.NoError(t, os.WriteFile(e.site.Evidence, nil, 0o600))
	seen := e.diagnose(t)
	require.Empty(t, seen.Bundle)
	require.Equal(t, diagnosis.StateDegraded, seen.Conclusion.State)
	require.Contains(t, seen.Conclusion.Paragraph, "write the bundle")
}

func TestDiagnose_IDIsNoFolder_IsRefused(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", "..", "a/b", "/tmp/x", "../x"} {
		activities := diagnose.New(clusters{kubernetes.Cluster{}}, nobody{}, plan.Site{Evidence: t.TempDir()})
		_, err := activities.Diagnose(t.Context(), diagnose.Params{ID: id})
		var refused *temporal.ApplicationError
		require.ErrorAs(t, err, &refused, id)
		require.Equal(t, failure.Unexpected, refused.Type())
		require.True(t, refused.NonRetryable())
	}
}

// A diagnosis only looks.
func TestDiagnose_AnyEstate_OnlyReads(t *testing.T) {
	t.Parallel()
	e := anEstate(t)
	withSilentStores(t, e)
	e.diagnose(t)
	require.Positive(t, e.asked.Load())
	require.Zero(t, e.written.Load())
}
