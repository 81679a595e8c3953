package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// finding is a member that is sick.
type finding struct {
	member member
	why    string
	heals  bool // with what it needs, or because Kubernetes brings it back
}

// tierWork is the recovery of one tier.
type tierWork struct {
	*fullOutage
	tier tier
	sick []finding // as last seen
	done int       // of the sick, how many are through
}

// skippedWhole says that the request leaves the whole tier alone.
func (w *tierWork) skippedWhole() string {
	for _, member := range w.tier.members {
		if !slices.Contains(w.request.Skip, member.name) {
			return ""
		}
	}
	return fmt.Sprintf("left alone, as %s asked", w.run.Request.By)
}

// look finds what of the tier is sick now: what needed only its database may be well again since the diagnosis.
func (w *tierWork) look(ctx workflow.Context) (runbook.Verdict, error) {
	sick, err := w.sickOf(ctx, w.tier.members)
	if err != nil || w.blind != "" {
		return runbook.Verdict{Waiting: w.blind}, err
	}
	w.sick = sick
	for _, finding := range sick {
		w.learn(finding)
	}
	verdict := runbook.Verdict{Seen: "all well", Binding: "recover " + w.tier.name, Idle: len(sick) == 0}
	if len(sick) > 0 {
		verdict.Seen = sentence(sick)
	}
	for _, finding := range sick {
		verdict.Changes = append(verdict.Changes, fmt.Sprintf("%s: %s", finding.member.name, finding.member.command()))
		if needs := w.unwell(finding.member); len(needs) > 0 {
			verdict.Facts = append(verdict.Facts, report.Fact{Name: "warning for " + finding.member.name, Value: fmt.Sprintf("it needs %s, which is not well", strings.Join(needs, ", "))})
		}
	}
	verdict.Facts = append(verdict.Facts, report.Fact{Name: w.tier.name, Value: verdict.Seen})
	verdict.Question = fmt.Sprintf("Recover %s? %s", w.tier.name, verdict.Seen)
	verdict.Binding += ": " + strings.Join(namesOf(sick), ", ")
	return verdict, nil
}

// learn keeps what was found after the diagnosis, which could only see what followed from something else.
func (o *fullOutage) learn(now finding) {
	at := slices.IndexFunc(o.found, func(f finding) bool { return f.member.name == now.member.name })
	switch {
	case at < 0:
		o.found = append(o.found, now)
	case o.found[at].heals:
		o.found[at] = now
	}
}

// unwell are the needs of a member that could not be recovered, or are sick and left alone.
func (w *tierWork) unwell(m member) []string {
	return slices.DeleteFunc(slices.Clone(m.needs), func(need string) bool {
		_, broken := w.broken[need]
		isSick := slices.ContainsFunc(w.found, func(f finding) bool { return f.member.name == need })
		return !broken && (!isSick || !slices.Contains(w.request.Skip, need))
	})
}

// recover has everything sick of the tier recovered at the same time, so many at once as the plan allows.
func (w *tierWork) recover(ctx workflow.Context) (string, error) {
	if len(w.sick) == 0 {
		return "all well", nil
	}
	w.done, w.diagnosed = 0, time.Time{} // whatever is recovered, what was seen is no longer true
	slots := workflow.NewSemaphore(ctx, int64(w.policy.AtOnce))
	under := workflow.NewWaitGroup(ctx)
	failed := map[string]string{}
	for _, finding := range w.sick {
		under.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer under.Done()
			if slots.Acquire(ctx, 1) != nil {
				return // the run is cancelled
			}
			defer slots.Release(1)
			why := w.recoverOne(ctx, finding)
			if w.mended[finding.member.name] = why == ""; why != "" {
				failed[finding.member.name] = why
			}
			w.done++
			w.run.Progress(ctx, fmt.Sprintf("%d of %d are through", w.done, len(w.sick)))
		})
	}
	under.Wait(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return w.conclude(ctx, failed)
}

// conclude leaves it to a person what becomes of a guided run that did not recover everything. Any other goes on with the rest.
func (w *tierWork) conclude(ctx workflow.Context, failed map[string]string) (string, error) {
	var said []string
	for _, finding := range w.sick {
		name := finding.member.name
		why, isBroken := failed[name]
		if !isBroken {
			continue
		}
		said = append(said, fmt.Sprintf("%s is not recovered: %s", name, why))
		w.tried[name] = true
		if !w.request.Guided {
			w.breaks(ctx, name, why)
		}
	}
	if len(said) > 0 && w.request.Guided {
		return "", errors.New(strings.Join(said, "; "))
	}
	return fmt.Sprintf("%d of %d recovered", len(w.sick)-len(said), len(w.sick)), nil
}

// recoverOne has the runbook that is for a member recover it, and says why it did not.
func (w *tierWork) recoverOne(ctx workflow.Context, sick finding) string {
	m := sick.member
	if needs := w.unwell(m); len(needs) > 0 && !w.request.Guided {
		return fmt.Sprintf("%s; it needs %s, which is not well", sick.why, strings.Join(needs, ", "))
	}
	began := workflow.Now(ctx)
	id := m.scenario.ID(w.run.Plan.Name, m.name, w.run.Request.Mode)
	begun := runbook.Child(ctx, id, fmt.Sprintf("%s, begun by %s", m.name, w.run.Holder()))
	var child report.Report
	err := workflow.ExecuteChildWorkflow(begun, m.scenario.Type, m.request(w.run.ForChild())).Get(ctx, &child)
	switch {
	case ctx.Err() != nil:
		return "cancelled"
	case err == nil && child.Outcome.ServiceIsBack():
		w.run.Note(ctx, fmt.Sprintf("%s recovered in %s: %s (%s)", m.name, workflow.Now(ctx).Sub(began).Round(time.Millisecond), child.Summary, id))
		return ""
	case err == nil:
		return fmt.Sprintf("%s (%s)", child.Summary, id)
	case runbook.RefusedBy(err, GuardHealthy), runbook.RefusedBy(err, GuardPrimaryAnswers):
		w.run.Note(ctx, m.name+" is well again without a recovery")
		return ""
	}
	return whyNot(err, id)
}

// whyNot is why a child came to no report, in words.
func whyNot(err error, id string) string {
	var running *temporal.ChildWorkflowExecutionAlreadyStartedError
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &running), errors.As(err, &started):
		return fmt.Sprintf("%s is running already; watch it with: fukkyu watch %s", id, id)
	default:
		return fmt.Sprintf("%s (%s)", inWords(err), id)
	}
}

// inWords is an error without what Temporal wraps around it.
func inWords(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Message()
	}
	return err.Error()
}

// sentence is what is sick and why.
func sentence(sick []finding) string {
	var said []string
	for _, finding := range sick {
		said = append(said, fmt.Sprintf("%s: %s", finding.member.name, finding.why))
	}
	return strings.Join(said, "; ")
}

func namesOf(sick []finding) []string {
	var names []string
	for _, finding := range sick {
		names = append(names, finding.member.name)
	}
	return names
}
