package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

const manifests = "../deployments/kubernetes/"

// objects decodes a file as strictly as Kubernetes can: an unknown or doubled field is an error.
func objects(t *testing.T, file string) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(manifests + file)
	require.NoError(t, err)
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var all []runtime.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		object, _, err := decoder.Decode(document, nil, nil)
		require.NoError(t, err, string(document))
		all = append(all, object)
	}
}

// the is the only object of a type in a file.
func the[T runtime.Object](t *testing.T, file string) T {
	t.Helper()
	var found []T
	for _, object := range objects(t, file) {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	require.Len(t, found, 1)
	return found[0]
}

func deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	return the[*appsv1.Deployment](t, "worker.yaml")
}

// deployed are the flags that the Deployment starts the program with.
func deployed(t *testing.T) settings {
	t.Helper()
	parsed, err := parse(deployment(t).Spec.Template.Spec.Containers[0].Args)
	require.NoError(t, err)
	return parsed
}

// mountOf is the volume that a file of the container lies in.
func mountOf(t *testing.T, file string) corev1.Volume {
	t.Helper()
	pod := deployment(t).Spec.Template.Spec
	for _, mount := range pod.Containers[0].VolumeMounts {
		if filepath.Dir(file) != mount.MountPath {
			continue
		}
		require.True(t, mount.ReadOnly, mount.MountPath)
		for _, volume := range pod.Volumes {
			if volume.Name == mount.Name {
				return volume
			}
		}
	}
	require.FailNow(t, "nothing is mounted where the worker looks for "+file)
	return corev1.Volume{}
}

func TestManifests_TheWorker_RunsUnderTheAccountThatIsPermitted(t *testing.T) {
	account := the[*corev1.ServiceAccount](t, "rbac.yaml")
	worker := deployment(t)
	require.Equal(t, account.Name, worker.Spec.Template.Spec.ServiceAccountName)
	require.Equal(t, account.Namespace, worker.Namespace)
	require.Equal(t, the[*corev1.Namespace](t, "rbac.yaml").Name, worker.Namespace)
	permitted := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}
	var bindings int
	for _, object := range objects(t, "rbac.yaml") {
		switch binding := object.(type) {
		case *rbacv1.RoleBinding:
			require.Equal(t, []rbacv1.Subject{permitted}, binding.Subjects, binding.Name)
			bindings++
		case *rbacv1.ClusterRoleBinding:
			require.Equal(t, []rbacv1.Subject{permitted}, binding.Subjects, binding.Name)
			bindings++
		}
	}
	require.Positive(t, bindings)
}

func TestManifests_ThePlanAndTheSite_AreMountedWhereTheFlagsPoint(t *testing.T) {
	flags := deployed(t)
	header, err := os.ReadFile(manifests + "worker.yaml")
	require.NoError(t, err)

	for _, file := range []string{flags.plan, flags.site} {
		volume := mountOf(t, file)
		require.NotNil(t, volume.ConfigMap, file)
		require.Contains(t, string(header), "create configmap "+volume.ConfigMap.Name+" --from-file="+filepath.Base(file)+"=")
	}
}

func TestManifests_TheExampleSite_FitsThePlanAndRefersToMountedSecrets(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	site, err := plan.LoadSite(manifests+"site.yaml", pinned.Plan)
	require.NoError(t, err)
	header, err := os.ReadFile(manifests + "worker.yaml")
	require.NoError(t, err)

	var files []string
	for _, region := range site.Regions {
		if region.Kubernetes.Kubeconfig != "" {
			files = append(files, region.Kubernetes.Kubeconfig)
		}
		if region.Power != nil && region.Power.PasswordFile != "" {
			files = append(files, region.Power.PasswordFile)
		}
	}
	files = append(files, secretsOf(site.Channels)...)
	require.Len(t, files, 7)
	for _, file := range files {
		relative, err := filepath.Rel(manifests, file)
		require.NoError(t, err)
		volume := mountOf(t, filepath.Join(filepath.Dir(deployed(t).site), relative))
		require.NotNil(t, volume.Secret, file)
		require.Contains(t, string(header), "create secret generic "+volume.Secret.SecretName+" ")
		require.Contains(t, string(header), "--from-file="+filepath.Base(file))
	}
}

// secretsOf are the files that hold the secrets of channels.
func secretsOf(channels []plan.SiteChannel) []string {
	var files []string
	for _, channel := range channels {
		switch {
		case channel.PagerDuty != nil:
			files = append(files, channel.PagerDuty.RoutingKeyFile)
		case channel.Slack != nil:
			files = append(files, channel.Slack.WebhookURLFile)
		case channel.Email != nil:
			files = append(files, channel.Email.PasswordFile)
		}
	}
	return files
}

func TestManifests_ProbesAndScrapes_AskForWhatTheWorkerServes(t *testing.T) {
	pod := deployment(t).Spec.Template
	container := pod.Spec.Containers[0]
	_, port, err := net.SplitHostPort(deployed(t).listen)
	require.NoError(t, err)
	require.Equal(t, port, strconv.Itoa(int(container.Ports[0].ContainerPort)))
	require.Equal(t, port, pod.Annotations["prometheus.io/port"])
	require.Equal(t, "true", pod.Annotations["prometheus.io/scrape"])
	server, err := newHealth().serve("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	require.NoError(t, err)
	defer server.Close()

	for path, want := range map[string]int{
		container.LivenessProbe.HTTPGet.Path:  http.StatusOK,
		container.ReadinessProbe.HTTPGet.Path: http.StatusServiceUnavailable, // Temporal has not answered yet
		pod.Annotations["prometheus.io/path"]: http.StatusOK,
	} {
		answer := httptest.NewRecorder()
		server.Handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		require.Equal(t, want, answer.Code, path)
	}
	require.Equal(t, container.Ports[0].Name, container.LivenessProbe.HTTPGet.Port.String())
	require.Equal(t, container.Ports[0].Name, container.ReadinessProbe.HTTPGet.Port.String())
	require.Greater(t, time.Duration(container.ReadinessProbe.TimeoutSeconds)*time.Second, checkTimeout, "the worker says itself what is silent")
}

func TestManifests_ServiceAndBudget_MeanTheWorkersPods(t *testing.T) {
	worker := deployment(t)
	pods := kubelabels.Set(worker.Spec.Template.Labels)
	budget := the[*policyv1.PodDisruptionBudget](t, "worker.yaml")
	service := the[*corev1.Service](t, "worker.yaml")
	for _, selector := range []*metav1.LabelSelector{worker.Spec.Selector, budget.Spec.Selector, {MatchLabels: service.Spec.Selector}} {
		matches, err := metav1.LabelSelectorAsSelector(selector)
		require.NoError(t, err)
		require.False(t, matches.Empty())
		require.True(t, matches.Matches(pods))
	}
	require.Equal(t, worker.Spec.Template.Spec.Containers[0].Ports[0].Name, service.Spec.Ports[0].TargetPort.String())
	require.Equal(t, worker.Namespace, service.Namespace)
	require.Equal(t, worker.Namespace, budget.Namespace)
	require.Less(t, budget.Spec.MinAvailable.IntValue(), int(*worker.Spec.Replicas), "a machine can be drained")
	require.Positive(t, budget.Spec.MinAvailable.IntValue())
}

func TestManifests_ThePod_MayDoNothingThatAWorkerNeedNot(t *testing.T) {
	pod := deployment(t).Spec.Template.Spec
	container := pod.Containers[0]
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	require.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
	require.NotEmpty(t, container.Resources.Requests)
	require.NotEmpty(t, container.Resources.Limits)
	for _, volume := range pod.Volumes {
		if volume.Secret != nil {
			require.Equal(t, int32(0o440), *volume.Secret.DefaultMode)
		}
	}
}

func TestManifests_TheGracePeriod_LeavesTimeToDrain(t *testing.T) {
	grace := time.Duration(*deployment(t).Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	require.Greater(t, grace, drainTimeout+5*time.Second, "after draining, the last spans are sent")
}

func TestContainerfile_TheImage_RunsAsTheUserOfThePodAndIsBuiltByTheGoOfTheModule(t *testing.T) {
	text, err := os.ReadFile("../deployments/container/Containerfile")
	require.NoError(t, err)
	security := deployment(t).Spec.Template.Spec.SecurityContext
	user := strconv.FormatInt(*security.RunAsUser, 10) + ":" + strconv.FormatInt(*security.RunAsGroup, 10)
	require.Contains(t, string(text), "\nUSER "+user+"\n")
	require.Contains(t, string(text), "\nCOPY --from=build /fukkyu-worker /fukkyu-worker\n")
	require.Contains(t, string(text), "\nENTRYPOINT [\"/fukkyu-worker\"]\n")
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(text), "FROM golang:")
	require.True(t, found)
	version, _, _ := strings.Cut(after, " ")
	require.Contains(t, string(module), "\ngo "+version+".")
}
