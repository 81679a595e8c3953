package pgbouncer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/pgbouncer"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

const ini = `[databases]
other = host=postgres-primary-0 port=5432
shodo = dbname=shodo host=postgres-primary-0 port=5432
[pgbouncer]
listen_port = 7432
unix_socket_dir = /run/pgbouncer
`

var place = pgbouncer.Place{Namespace: "shodo", Region: "r", Bouncer: plan.PgBouncerRedirect{
	Kind: plan.Deployment, Name: "pgbouncer", Container: "bouncer", ConfigMap: "pgbouncer", Key: "pgbouncer.ini", File: "/run/pgbouncer/pgbouncer.ini", Database: "shodo", Host: "{pod}",
}}

// bouncers are PgBouncers in the pods of a cluster: what the console of each has, and whether it answers.
type bouncers struct {
	*pgbouncer.Activities
	client *fake.Clientset

	mutex   sync.Mutex
	hosts   map[string]string // by pod
	paused  map[string]bool
	busy    bool // a query does not end
	silent  map[string]bool
	asked   []string // every command of every pod, in its order
	written map[string]string
}

// Cluster is that of every region.
func (b *bouncers) Cluster(string) (kubernetes.Cluster, error) {
	return kubernetes.Cluster{Client: b.client}, nil
}

// Run plays sh, psql and the console.
func (b *bouncers) Run(_ context.Context, _ string, command kubernetes.PodCommand) (kubernetes.PodAnswer, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.silent[command.Pod] {
		return kubernetes.PodAnswer{}, errors.New("no route to host")
	}
	if command.Line[5] != "" {
		b.written[command.Line[4]] = command.Input
	}
	answer := kubernetes.PodAnswer{}
	for i, word := range command.Line {
		if word != "-c" {
			continue
		}
		switch said := command.Line[i+1]; said {
		case "PAUSE shodo", "KILL shodo":
			if b.paused[command.Pod] {
				answer.Errors += "ERROR:  already suspended/paused\n"
			}
			b.paused[command.Pod] = true
		case "RESUME shodo":
			b.paused[command.Pod] = false
		case "RELOAD":
			if _, after, found := strings.Cut(b.written[place.Bouncer.File], "dbname=shodo host="); found {
				b.hosts[command.Pod], _, _ = strings.Cut(after, " ")
			}
		case "SHOW DATABASES":
			paused, connections := 0, 3
			if b.paused[command.Pod] {
				paused = 1
				if !b.busy {
					connections = 0
				}
			}
			answer.Output = fmt.Sprintf("name,host,port,current_connections,paused\npgbouncer,,6432,0,0\nshodo,%s,5432,%d,%d\n", b.hosts[command.Pod], connections, paused)
		}
		if command.Line[i+1] != "SHOW DATABASES" {
			b.asked = append(b.asked, command.Pod+" "+command.Line[i+1])
		}
	}
	return answer, nil
}

// newBouncers are two that know postgres-primary-0, one that ends, and one of somebody else.
func newBouncers(t *testing.T) *bouncers {
	t.Helper()
	labels := map[string]string{"app": "pgbouncer"}
	pod := func(name string, labels map[string]string, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shodo", Labels: labels}, Status: corev1.PodStatus{Phase: phase}}
	}
	b := &bouncers{
		client: fake.NewSimpleClientset(
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "pgbouncer", Namespace: "shodo"}, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "pgbouncer", Namespace: "shodo"}, Data: map[string]string{"pgbouncer.ini": ini}},
			pod("b-0", labels, corev1.PodRunning), pod("b-1", labels, corev1.PodRunning), pod("b-2", labels, corev1.PodPending), pod("app", nil, corev1.PodRunning),
		),
		hosts: map[string]string{"b-0": "postgres-primary-0", "b-1": "postgres-primary-0"}, paused: map[string]bool{}, silent: map[string]bool{}, written: map[string]string{},
	}
	b.Activities = pgbouncer.NewIn(b, b)
	return b
}

func (b *bouncers) config(t *testing.T) string {
	t.Helper()
	found, err := b.client.CoreV1().ConfigMaps("shodo").Get(t.Context(), "pgbouncer", metav1.GetOptions{})
	require.NoError(t, err)
	return found.Data["pgbouncer.ini"]
}

func (b *bouncers) writes() int {
	count := 0
	for _, action := range b.client.Actions() {
		if action.GetVerb() == "update" {
			count++
		}
	}
	return count
}

func requireKind(t *testing.T, err error, kind string, final bool) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, kind, application.Type(), err)
	require.Equal(t, final, application.NonRetryable(), err)
}

func TestPointClients_EveryPodAndTheConfigMap_GetTheNewHostAndNothingElseChanges(t *testing.T) {
	b := newBouncers(t)
	for range 2 {
		told, err := b.PointClients(t.Context(), pgbouncer.PointClientsParams{Place: place, Host: "postgres-replica-0", Drop: true})
		require.NoError(t, err)
		require.Equal(t, pgbouncer.Told{Pods: []string{"b-0", "b-1"}}, told)
	}
	require.Equal(t, strings.Replace(ini, "dbname=shodo host=postgres-primary-0", "dbname=shodo host=postgres-replica-0", 1), b.config(t))
	require.Equal(t, b.config(t), b.written["/run/pgbouncer/pgbouncer.ini"])
	require.Equal(t, map[string]string{"b-0": "postgres-replica-0", "b-1": "postgres-replica-0"}, b.hosts)
	require.Equal(t, map[string]bool{"b-0": false, "b-1": false}, b.paused, "nobody is left waiting")
	require.Equal(t, 1, b.writes(), "the second time there is nothing to write")
}

func TestPointClients_OnePodDoesNotAnswer_IsNamedAndTheOthersServe(t *testing.T) {
	b := newBouncers(t)
	b.silent["b-1"] = true
	told, err := b.PointClients(t.Context(), pgbouncer.PointClientsParams{Place: place, Host: "postgres-replica-0"})
	require.NoError(t, err)
	require.Equal(t, pgbouncer.Told{Pods: []string{"b-0"}, Missed: []string{"b-1: no route to host"}}, told)

	b.silent["b-0"] = true
	_, err = b.PointClients(t.Context(), pgbouncer.PointClientsParams{Place: place, Host: "postgres-replica-0"})
	requireKind(t, err, failure.Unreachable, false)
	require.ErrorContains(t, err, "b-0: no route to host; b-1: no route to host")
}

func TestPointClients_AFileThatNobodyReads_IsAnErrorThatSaysSo(t *testing.T) {
	b := newBouncers(t)
	elsewhere := place
	elsewhere.Bouncer.File = "/etc/elsewhere.ini"
	_, err := b.PointClients(t.Context(), pgbouncer.PointClientsParams{Place: elsewhere, Host: "postgres-replica-0"})
	require.ErrorContains(t, err, "it has host postgres-primary-0 after its reload; does it read /etc/elsewhere.ini")
}

func TestPointClients_PlanAndEstateDiffer_IsPermanent(t *testing.T) {
	b := newBouncers(t)
	for says, change := range map[string]func(*plan.PgBouncerRedirect){
		`no key "other.ini"`:     func(p *plan.PgBouncerRedirect) { p.Key = "other.ini" },
		"no entry nothing":       func(p *plan.PgBouncerRedirect) { p.Database = "nothing" },
		`configmaps "elsewhere"`: func(p *plan.PgBouncerRedirect) { p.ConfigMap = "elsewhere" },
		`statefulsets.apps "pgb`: func(p *plan.PgBouncerRedirect) { p.Kind = plan.StatefulSet },
	} {
		wrong := place
		change(&wrong.Bouncer)
		_, err := b.PointClients(t.Context(), pgbouncer.PointClientsParams{Place: wrong, Host: "postgres-replica-0"})
		requireKind(t, err, failure.NotFound, true)
		require.ErrorContains(t, err, says)
	}
}

func TestHoldClients_QueriesThatEnd_EverybodyWaitsUntilReleased(t *testing.T) {
	b := newBouncers(t)
	for range 2 {
		_, err := b.HoldClients(t.Context(), pgbouncer.HoldClientsParams{Place: place, Patience: time.Second})
		require.NoError(t, err, "the second time the console says that it is paused already")
	}
	require.Equal(t, map[string]bool{"b-0": true, "b-1": true}, b.paused)
	for range 2 {
		_, err := b.ReleaseClients(t.Context(), pgbouncer.ReleaseClientsParams{Place: place})
		require.NoError(t, err)
	}
	require.Equal(t, map[string]bool{"b-0": false, "b-1": false}, b.paused)
}

func TestHoldClients_AQueryThatDoesNotEndOrAPodThatIsAway_IsAnError(t *testing.T) {
	b := newBouncers(t)
	b.busy = true
	_, err := b.HoldClients(t.Context(), pgbouncer.HoldClientsParams{Place: place, Patience: time.Second})
	requireKind(t, err, failure.Unreachable, false)
	require.ErrorContains(t, err, "queries still run: 3 connections")

	b.busy, b.silent["b-1"] = false, true
	_, err = b.HoldClients(t.Context(), pgbouncer.HoldClientsParams{Place: place, Patience: time.Second})
	require.ErrorContains(t, err, "b-1: no route to host", "its clients would go on")
	_, err = b.ReleaseClients(t.Context(), pgbouncer.ReleaseClientsParams{Place: place})
	require.ErrorContains(t, err, "b-1: no route to host", "its clients would wait")
}
