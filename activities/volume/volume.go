// Package volume works on the volume of a PostgreSQL instance whose server is stopped: it keeps the rows that only this
// instance has, rewinds its data directory to the history of another server, and puts it back.
//
// The programs run in a maintenance pod that has the volume. What takes longer than a moment is a job: begun once, it runs in the
// pod whatever becomes of the worker, and whoever asks next is told how far it is.
//
// The first change moves the data directory to a folder of its own beside it, from where no start gate and no container ever starts a
// server. It comes back by one rename, complete. So nothing half done is ever found where a data directory belongs.
package volume

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Closed is the kind of failure that says that the maintenance pod is not there or has ended. Opening the volume again helps.
const Closed = "Closed"

const (
	// jobInterval is the pause between two looks at a job.
	jobInterval = 250 * time.Millisecond
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
)

// Place is the volume of one instance.
type Place struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Database  string `json:"database"`
	Pod       string `json:"pod"`       // the instance's, which must be held down
	Container string `json:"container"` // of the server in its pod
	Mount     string `json:"mount"`     // where the volume is mounted there; OpenVolume says so
}

// maintenancePod is the name of the pod that has the volume meanwhile.
func (p Place) maintenancePod() string { return p.Pod + "-rejoin" }

func (p Place) String() string { return fmt.Sprintf("volume of pod %s/%s", p.Namespace, p.Pod) }

// Command is a program with its arguments and its input. No secret belongs into its line.
type Command struct {
	Line  []string
	Input string
}

// Answer is what a program printed and how it ended.
type Answer struct {
	Output, Errors string
	Code           int
}

// Shell runs programs where a volume is.
type Shell interface {
	// Run runs a program to its end. The error is why it could not be run, or why nobody knows how it ended.
	Run(ctx context.Context, place Place, command Command) (Answer, error)
}

// Activities work on volumes.
type Activities struct {
	clusters kubernetes.Clusters
	site     plan.Site
	shell    Shell
}

// New returns activities that work in maintenance pods of a site's clusters.
func New(clusters kubernetes.Clusters, site plan.Site) *Activities {
	return &Activities{clusters: clusters, site: site, shell: podShell{clusters: clusters}}
}

// NewIn returns activities that work where shell runs its programs. OpenVolume and CloseVolume are not for them.
func NewIn(shell Shell) *Activities { return &Activities{shell: shell} }

// scripts are the functions that run beside the volume.
//
//go:embed volume.sh
var scripts string

// What the scripts' exit codes mean. Others are unexpected.
const (
	codeUnexpected = 10 // the volume is not as it should be, and trying again does not help
	codeNotYet     = 11 // trying again may help
)

// run runs one function of the scripts.
func (a *Activities) run(ctx context.Context, place Place, input, function string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	line := append([]string{"sh", "-c", scripts, "volume", place.Mount, function}, args...)
	answer, err := a.shell.Run(ctx, place, Command{Line: line, Input: input})
	doing := fmt.Sprintf("%s of the %s", function, place)
	said := strings.TrimSpace(answer.Errors)
	switch {
	case err != nil:
		return "", a.why(ctx, place, doing, err)
	case answer.Code == codeUnexpected:
		return "", failure.Permanent(failure.Unexpected, "%s: %s", doing, said)
	case answer.Code != 0:
		return "", failure.Transient(failure.NotReady, "%s ended with %d: %s", doing, answer.Code, said)
	}
	return answer.Output, nil
}

// why tells a pod that is gone from one that cannot be reached at the moment.
func (a *Activities) why(ctx context.Context, place Place, doing string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled // Temporal tells a cancelled activity by this error itself
	}
	if a.clusters == nil {
		return failure.Transient(failure.Unreachable, "%s: %s", doing, err)
	}
	running, seen := a.lookAtPod(ctx, place)
	if running {
		return failure.Transient(failure.Unreachable, "%s: %s", doing, err)
	}
	return failure.Permanent(Closed, "%s: %s: %s", doing, seen, err)
}

// fields reads lines of "name: value".
func fields(output string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(output) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			found[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return found
}

// job is how far one of the scripts' jobs is.
type job struct {
	Ended bool
	Code  int
	Log   string // its last lines
}

// finish begins a job unless it has begun, and says whether it has ended well. One that failed may be begun again. Error: Unexpected, for
// good, with what it said when it failed.
func (a *Activities) finish(ctx context.Context, place Place, patience time.Duration, name string, args ...string) (bool, error) {
	now, err := a.work(ctx, place, patience, func(job) {}, name, args...)
	if err != nil || !now.Ended || now.Code == 0 {
		return now.Ended && now.Code == 0, err
	}
	if _, err := a.run(ctx, place, "", "forget", name); err != nil {
		return false, err
	}
	return false, failure.Permanent(failure.Unexpected, "job %s of the %s ended with %d: %s", name, place, now.Code, lastLine(now.Log))
}

// work begins a job unless it has begun, and looks at it until it ends or patience does. seen is told of every look.
func (a *Activities) work(ctx context.Context, place Place, patience time.Duration, seen func(job), name string, args ...string) (job, error) {
	if _, err := a.run(ctx, place, "", "begin", append([]string{name}, args...)...); err != nil {
		return job{}, err
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	ticker := time.NewTicker(jobInterval)
	defer ticker.Stop()
	for {
		now, err := a.look(ctx, place, name)
		if err != nil {
			return now, err
		}
		seen(now)
		if now.Ended {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-over.C:
			return now, nil
		case <-ticker.C:
		}
	}
}

func (a *Activities) look(ctx context.Context, place Place, name string) (job, error) {
	output, err := a.run(ctx, place, "", "look", name)
	if err != nil {
		return job{}, err
	}
	head, log, _ := strings.Cut(output, "\n")
	now := job{Log: strings.TrimSpace(log)}
	if head == "running" {
		return now, nil
	}
	now.Ended = true
	if _, err := fmt.Sscan(head, &now.Code); err != nil {
		return now, failure.Permanent(failure.Unexpected, "look at job %s of the %s: it says %q", name, place, head)
	}
	return now, nil
}

// lastLine is the line that says most about how a program failed.
func lastLine(log string) string {
	log = strings.TrimSpace(log)
	return log[strings.LastIndexAny(log, "\n\r")+1:]
}
