// Package pgbouncer tells PgBouncers where the primary is, and has them hold their clients meanwhile.
//
// A PgBouncer is told on its console, as its own user on the Unix socket in its container: that needs no password. Its container
// must have sh, timeout and psql, and read its configuration from a file that can be written.
package pgbouncer

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tellTimeout bounds what one PgBouncer is told, above the time that it may take.
const tellTimeout = 3 * time.Second

// Shell runs programs in containers.
type Shell interface {
	// Run runs a program to its end. The error is why it could not be run, or why nobody knows how it ended.
	Run(ctx context.Context, region string, command kubernetes.PodCommand) (kubernetes.PodAnswer, error)
}

// Activities tell the PgBouncers of clusters.
type Activities struct {
	clusters kubernetes.Clusters
	shell    Shell
}

// New returns activities that act in the pods of clusters.
func New(clusters kubernetes.Clusters) *Activities { return NewIn(clusters, podShell{clusters}) }

// NewIn returns activities that run their programs in shell.
func NewIn(clusters kubernetes.Clusters, shell Shell) *Activities {
	return &Activities{clusters: clusters, shell: shell}
}

type podShell struct{ clusters kubernetes.Clusters }

// Run is for a pod what Shell says.
func (s podShell) Run(ctx context.Context, region string, command kubernetes.PodCommand) (kubernetes.PodAnswer, error) {
	cluster, err := s.clusters.Cluster(region)
	if err != nil {
		return kubernetes.PodAnswer{}, err
	}
	return cluster.Exec(ctx, command)
}

// Place is where the PgBouncers of a database are.
type Place struct {
	Namespace string                 `json:"namespace"`
	Region    string                 `json:"region"`
	Bouncer   plan.PgBouncerRedirect `json:"bouncer"`
}

func (p Place) String() string {
	return fmt.Sprintf("PgBouncer %s %s/%s", p.Bouncer.Kind, p.Namespace, p.Bouncer.Name)
}

// Told says which pods were told and which were not, with the reason.
type Told struct {
	Pods   []string `json:"pods,omitempty"`
	Missed []string `json:"missed,omitempty"`
}

// all tells every PgBouncer the same at once. Nobody waits for one that does not answer longer than patience.
func (a *Activities) all(ctx context.Context, place Place, doing string, patience time.Duration, tell func(context.Context, string) error) (Told, error) {
	pods, err := a.pods(ctx, place)
	if err != nil {
		return Told{}, err
	}
	var told Told
	var mutex sync.Mutex
	var group sync.WaitGroup
	for _, pod := range pods {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience+tellTimeout)
			defer cancel()
			err := tell(ctx, pod)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				told.Missed = append(told.Missed, fmt.Sprintf("%s: %s", pod, err))
				return
			}
			told.Pods = append(told.Pods, pod)
		})
	}
	group.Wait()
	slices.Sort(told.Pods)
	slices.Sort(told.Missed)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return Told{}, context.Canceled // Temporal tells a cancelled activity by this error itself
	case len(pods) == 0:
		return Told{}, failure.Transient(failure.NotReady, "%s: %s has no pod that runs", doing, place)
	case len(told.Pods) == 0:
		return Told{}, failure.Transient(failure.Unreachable, "%s: no pod of %s could be told: %s", doing, place, strings.Join(told.Missed, "; "))
	}
	return told, nil
}

// pods are those that run, by the selector of the workload.
func (a *Activities) pods(ctx context.Context, place Place) ([]string, error) {
	cluster, err := a.clusters.Cluster(place.Region)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("find the pods of %s", place)
	selector, err := selectorOf(ctx, cluster, place)
	if err != nil {
		return nil, kubernetes.Failure(doing, err)
	}
	found, err := cluster.Client.CoreV1().Pods(place.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
	if err != nil {
		return nil, kubernetes.Failure(doing, err)
	}
	var names []string
	for _, pod := range found.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp.IsZero() {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}

func selectorOf(ctx context.Context, cluster kubernetes.Cluster, place Place) (*metav1.LabelSelector, error) {
	apps := cluster.Client.AppsV1()
	if place.Bouncer.Kind == plan.StatefulSet {
		set, err := apps.StatefulSets(place.Namespace).Get(ctx, place.Bouncer.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return set.Spec.Selector, nil
	}
	deployment, err := apps.Deployments(place.Namespace).Get(ctx, place.Bouncer.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return deployment.Spec.Selector, nil
}

// console runs commands on the console of one PgBouncer, within patience, and returns how it has the database afterwards. What
// is written to its file first, when there is something, is input. A command that PgBouncer refuses, because it was done before,
// is no error: what counts is how the database stands.
func (a *Activities) console(ctx context.Context, place Place, pod, ini, input string, patience time.Duration, commands ...string) (database, error) {
	const write = `if [ -n "$2" ]; then cat > "$1.new" && mv "$1.new" "$1"; fi && shift 2 && exec timeout "$@"`
	line := []string{"sh", "-c", write, "sh", place.Bouncer.File, flag(input != ""), seconds(patience),
		"psql", "-X", "-q", "--csv", "-h", setting(ini, "unix_socket_dir", "/tmp"), "-p", setting(ini, "listen_port", "6432"), "-U", "pgbouncer", "pgbouncer"}
	for _, command := range append(commands, "SHOW DATABASES") {
		line = append(line, "-c", command)
	}
	answer, err := a.shell.Run(ctx, place.Region, kubernetes.PodCommand{
		Namespace: place.Namespace, Pod: pod, Container: place.Bouncer.Container, Line: line, Input: input,
	})
	if err != nil {
		return database{}, err
	}
	found, err := readDatabase(answer.Output, place.Bouncer.Database)
	if err != nil {
		return database{}, fmt.Errorf("%w; it ended with %d: %s", err, answer.Code, strings.TrimSpace(answer.Errors))
	}
	return found, nil
}

func flag(set bool) string {
	if set {
		return "yes"
	}
	return ""
}

func seconds(patience time.Duration) string {
	return strconv.FormatFloat(patience.Seconds(), 'f', 1, 64)
}

// database is an entry of a PgBouncer as its console shows it.
type database struct {
	host        string
	paused      bool
	connections string // to the primary
}

// held says that clients wait and that nothing of theirs runs any more.
func (d database) held() bool { return d.paused && d.connections == "0" }

// readDatabase finds an entry in what SHOW DATABASES prints as CSV, whose columns differ between versions.
func readDatabase(output, name string) (database, error) {
	rows := csv.NewReader(strings.NewReader(output))
	rows.FieldsPerRecord = -1
	all, err := rows.ReadAll()
	if err != nil || len(all) == 0 {
		return database{}, errors.New("its console did not answer")
	}
	column := func(row []string, title string) string {
		if at := slices.Index(all[0], title); at >= 0 && at < len(row) {
			return row[at]
		}
		return ""
	}
	for _, row := range all[1:] {
		if column(row, "name") == name {
			return database{host: column(row, "host"), paused: column(row, "paused") == "1", connections: column(row, "current_connections")}, nil
		}
	}
	return database{}, fmt.Errorf("it has no database %s", name)
}
