package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/workflow"
)

// leavePatience is how long a run that is over waits for its last messages. People have their service back by then.
const leavePatience = 10 * time.Second

// Whoever is to act must learn of it, and nothing about telling them may hold up the recovery: every message goes out beside
// the steps, and what becomes of it stands in the report.

// speakUp tells those of the first levels once there is something to tell: a question, a change where something is broken, a share of
// the objective that is used up, a planned run that went wrong. A run that is refused before that wakes nobody.
func (r *Run) speakUp(ctx workflow.Context, why string) {
	if r.level == 0 {
		r.climbTo(ctx, max(1, r.levelAt(r.used(workflow.Now(ctx)))), why)
	}
}

// levelAt counts the levels that a run has climbed when a share of the objective is used up.
func (r *Run) levelAt(share plan.Percent) int {
	reached := 0
	for _, level := range r.Plan.Escalation {
		if level.At <= share {
			reached++
		}
	}
	return reached
}

// climbTo tells the levels up to the one of that number, counted from 1, those that have not been told yet.
func (r *Run) climbTo(ctx workflow.Context, number int, why string) {
	if r.Rehearsing() {
		return
	}
	for r.level < min(number, len(r.Plan.Escalation)) {
		level := r.Plan.Escalation[r.level]
		r.level++
		r.note(workflow.Now(ctx), KindNotice, r.stepName(), "%s: %s told by %s: %s",
			level.Level, strings.Join(level.Who, ", "), strings.Join(level.Notify, ", "), why)
		for _, channel := range level.Notify {
			r.tell(ctx, channel, Trigger, level, why)
		}
	}
}

// tellOfQuestion tells everybody who knows of the run that it asks, and climbs one level more each time that those who were
// told last have not answered within the time that the plan gives them.
func (r *Run) tellOfQuestion(ctx workflow.Context, question report.Question) {
	why := fmt.Sprintf("it asks: %s", question.Text)
	if r.level == 0 {
		r.speakUp(ctx, why)
	} else {
		r.tellEverybody(ctx, Trigger, why)
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for r.level > 0 && r.level < len(r.Plan.Escalation) {
			told := r.level
			within := r.Plan.Escalation[told-1].RespondWithin
			if !r.staysUnanswered(ctx, question.Number, told, within) {
				return
			}
			if r.level == told {
				r.climbTo(ctx, told+1, fmt.Sprintf("question %d is unanswered for %s: %s", question.Number, within, question.Text))
				r.publish(ctx)
			}
		}
	})
}

// staysUnanswered waits until a question has been open for so long, or a further level is told of it, and returns false when
// it is answered first.
func (r *Run) staysUnanswered(ctx workflow.Context, number, told int, within time.Duration) bool {
	isOpen := func() bool { return r.report.Question != nil && r.report.Question.Number == number }
	if within > 0 {
		summary := fmt.Sprintf("question %d unanswered: tell %s", number, r.Plan.Escalation[told].Level)
		over := func() bool { return !isOpen() || r.level != told }
		if _, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: within, TimerOptions: workflow.TimerOptions{Summary: summary}}, over); err != nil {
			return false
		}
	}
	return isOpen()
}

// tellEverybody tells all channels that know of the run.
func (r *Run) tellEverybody(ctx workflow.Context, event, text string) {
	var told []string
	for _, level := range slices.Backward(r.Plan.Escalation[:r.level]) { // by the highest level that a channel serves
		for _, channel := range level.Notify {
			if !slices.Contains(told, channel) {
				told = append(told, channel)
				r.tell(ctx, channel, event, level, text)
			}
		}
	}
}

// letter is a notice on its way, and its place in the report.
type letter struct {
	notice Notice
	entry  int
}

// tell sends one message to one channel, beside whatever the run does. A channel gets its messages one after the other: what
// resolves an incident must not overtake what opens it.
func (r *Run) tell(ctx workflow.Context, channel, event string, level plan.EscalationLevel, text string) {
	notice := r.notice(workflow.Now(ctx), channel, event, level, text)
	r.report.Notifications = append(r.report.Notifications, report.Notification{
		At: notice.At, Channel: channel, Event: event, Level: level.Level, Text: text, State: report.Sending,
	})
	r.outbox[channel] = append(r.outbox[channel], letter{notice, len(r.report.Notifications) - 1})
	r.unsent++
	if len(r.outbox[channel]) > 1 {
		return // somebody is at it
	}
	beside, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(beside, func(ctx workflow.Context) {
		for len(r.outbox[channel]) > 0 {
			next := r.outbox[channel][0]
			delivery, err := r.ports.Notify(ctx, next.notice)
			r.outbox[channel] = r.outbox[channel][1:]
			r.unsent--
			r.settle(ctx, &r.report.Notifications[next.entry], delivery, err)
		}
	})
}

// settle records what became of a message.
func (r *Run) settle(ctx workflow.Context, sent *report.Notification, delivery Delivery, err error) {
	sent.Done, sent.Kind, sent.To = workflow.Now(ctx), delivery.Kind, delivery.To
	switch {
	case err != nil:
		sent.State, sent.Why = report.Undelivered, plain(err)
		r.note(sent.Done, KindNotice, "", "%s was not told: %s", sent.Channel, sent.Why)
	case delivery.Withheld != "":
		sent.State, sent.Why = report.Withheld, delivery.Withheld
	default:
		sent.State = report.Sent
	}
	r.publish(ctx)
}

// notice is what a channel is told: enough to act upon without looking anywhere else.
func (r *Run) notice(now time.Time, channel, event string, level plan.EscalationLevel, text string) Notice {
	notice := Notice{
		Channel: channel, Event: event, Incident: r.Holder(), Severity: severity(event, level), Level: level.Level, Drill: r.Request.Mode == Drill, At: now,
		Summary:  fmt.Sprintf("%s of %s: %s", r.report.Scenario, r.report.Target, text),
		Commands: []string{"fukkyu watch " + r.report.WorkflowID},
	}
	add := func(name, value string) {
		if value != "" {
			notice.Details = append(notice.Details, report.Fact{Name: name, Value: value})
		}
	}
	add("step", r.stepName())
	add("deadline", clockTime(r.report.Clocks.Deadline))
	if forecast := r.report.Forecast; forecast != nil && !forecast.Recovered.IsZero() {
		add("forecast", "service back at "+clockTime(forecast.Recovered))
	}
	add("asked for by", r.report.RequestedBy+withComment(r.report.Reason))
	if question := r.report.Question; question != nil {
		notice.Details = append(notice.Details, question.Facts...)
		add("unanswered", question.Unanswered)
		for _, verb := range question.Answers {
			notice.Commands = append(notice.Commands, question.ExampleCommand(verb, r.report.WorkflowID))
		}
	}
	return notice
}

func severity(event string, level plan.EscalationLevel) string {
	switch {
	case event != Trigger:
		return SeverityInfo
	case level.At >= allUsedUp:
		return SeverityCritical
	case level.At > 0:
		return SeverityError
	default:
		return SeverityWarning
	}
}

// takeLeave tells everybody who knows of the run how it ended, and waits a little for what is still on its way.
func (r *Run) takeLeave(ctx workflow.Context) {
	ended := fmt.Sprintf("it ended %s: %s", r.report.Outcome, r.report.Summary)
	switch {
	case r.level == 0 && r.child:
		return // the run that began it tells of it
	case r.level == 0 && r.changed && !r.report.Outcome.ServiceIsBack():
		r.speakUp(ctx, ended)
	case r.level == 0:
		return
	case r.report.Outcome.ServiceIsBack():
		r.tellEverybody(ctx, Resolve, ended)
	default:
		r.tellEverybody(ctx, Trigger, ended)
	}
	timer := workflow.TimerOptions{Summary: "the last messages may take a moment"}
	sent := func() bool { return r.unsent == 0 }
	if _, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: leavePatience, TimerOptions: timer}, sent); err != nil {
		workflow.GetLogger(ctx).Error("the last messages were not waited for", "error", err)
	}
	for i := range r.report.Notifications {
		if sent := &r.report.Notifications[i]; sent.State == report.Sending {
			sent.State, sent.Why, sent.Done = report.Undelivered, "the channel had not answered when the run ended", workflow.Now(ctx)
		}
	}
}
