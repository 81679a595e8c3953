package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// taskTimeout is how long Temporal waits for a worker that took a step of the workflow and died. Its default of 10 s would be
// the longest pause of a recovery; a step is milliseconds of computing.
const taskTimeout = 2 * time.Second

// offer is a scenario as the command line offers it.
type offer struct {
	workflows.Scenario
	target
	short, long string
	reason      string // an example of one
	// request completes what every scenario is asked with.
	request func(runFlags, runbook.Request) any
	// flags adds those that only this scenario has.
	flags func(*cobra.Command, *runFlags)
	wrong func(runFlags) error // what is wrong with them
	extra string               // those of them that an example needs
}

// target is what a scenario recovers, as a flag that it must be given.
type target struct {
	flag  string // its name, and the word for it; empty for a scenario that recovers everything
	named string // an example
	or    string // another flag of the scenario that may stand instead; it goes into runFlags.instead
}

// What scenarios recover.
var (
	aDatabase = target{flag: "database", named: "shodo"}
	aRedis    = target{flag: "redis", named: "redis"}
	aService  = target{flag: "service", named: "shodo-backend"}
)

// example is the flag with a value, as it stands on a command line.
func (t target) example() string {
	if t.flag == "" {
		return ""
	}
	return fmt.Sprintf(" --%s %s", t.flag, t.named)
}

// offerTo adds the flag to a command.
func (t target) offerTo(command *cobra.Command, f *runFlags) {
	if t.flag != "" {
		command.Flags().StringVar(&f.target, t.flag, "", t.help())
	}
	if t.or != "" {
		command.Flags().StringVar(&f.instead, t.or, "", fmt.Sprintf("one %s instead of a %s", t.or, t.flag))
	}
}

func (t target) help() string {
	if t.or != "" {
		return fmt.Sprintf("the %s; it or --%s is required", t.flag, t.or)
	}
	return t.flag + " of the plan (required)"
}

func (t target) check(f runFlags) error {
	if t.or != "" && f.instead != "" {
		if f.target != "" {
			return usage("say either --%s or --%s", t.flag, t.or)
		}
		return nil
	}
	if t.flag != "" && f.target == "" {
		return usage("--%s is missing, for example%s", t.flag, t.example())
	}
	return nil
}

// say is the target in words.
func (t target) say(f runFlags) string {
	if t.flag == "" {
		return "everything"
	}
	if f.instead != "" {
		return t.or + " " + f.instead
	}
	return t.flag + " " + f.target
}

func offers() []offer {
	return []offer{
		{
			Scenario: workflows.Failover, target: aDatabase, short: "Replace a dead PostgreSQL primary by a replica", reason: "node-a1 is dead",
			long: `Database-failover confirms that the primary is gone, chooses the replica that lost least, asks for approval, fences the old
primary and proves that it is stopped, promotes, points the applications at the new primary and restores redundancy.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.DatabaseFailoverRequest{Request: asked, Database: f.target}
			},
		},
		{
			Scenario: workflows.Switchover, target: aDatabase, short: "Let a replica take over from a healthy PostgreSQL primary", reason: "node-a1 gets a new disk",
			long: `Database-switchover shuts the healthy primary down, proves that the replica has everything up to the shutdown, promotes it, points
the applications at it and sees the old primary come back as a replica. Nothing is lost; until the promotion it undoes itself
when anything goes wrong.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.DatabaseSwitchoverRequest{Request: asked, Database: f.target, To: f.to}
			},
			flags: func(command *cobra.Command, f *runFlags) {
				command.Flags().StringVar(&f.to, "to", "", "pod of the replica that takes over; the one that is furthest otherwise")
			},
		},
		{
			Scenario: workflows.Commits, target: aDatabase, short: "Let commits go on when the synchronous replicas are gone, or wait again", reason: "both replicas are gone, nobody can write",
			long: `Database-commits --relax looks whether commits hang because too few synchronous replicas stream, always asks a person, and then lets
them go on without. --restore lets them wait again by the plan, once there are replicas to wait for. A rehearsal says whether commits hang.`,
			request: func(f runFlags, asked runbook.Request) any {
				commits := workflows.RestoreCommits
				if f.relax {
					commits = workflows.RelaxCommits
				}
				return workflows.DatabaseCommitsRequest{Request: asked, Database: f.target, Commits: commits}
			},
			flags: func(command *cobra.Command, f *runFlags) {
				command.Flags().BoolVar(&f.relax, "relax", false, "let commits wait for nobody")
				command.Flags().BoolVar(&f.restore, "restore", false, "let commits wait for what the plan says")
			},
			wrong: func(f runFlags) error {
				if f.relax == f.restore {
					return usage("say either --relax or --restore")
				}
				return nil
			},
			extra: " --relax",
		},
		{
			Scenario: workflows.Rejoining, target: aDatabase, short: "Bring a former PostgreSQL primary back as a replica", reason: "node-a1 is repaired",
			long: `Rejoin opens the volume of the primary that the last failover replaced, writes the rows that only it has into a ledger beside it,
rewinds its data directory to the new primary's history, or keeps it aside and lets a clone take its place, and sees it stream.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.RejoinRequest{Request: asked, Database: f.target}
			},
		},
		{
			Scenario: workflows.RedisLoss, target: aRedis, short: "Bring a Redis back: wait for its master, replace its pod, promote a replica", reason: "sessions are gone",
			long: `Redis-recovery looks whether the Redis is sick, lets its master come back by itself, replaces its pod, and promotes a replica when
neither helps, in this order. A replica is promoted only after the old master is fenced and proven to be stopped. A Redis that is well is
left alone.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.RedisRecoveryRequest{Request: asked, Redis: f.target}
			},
		},
		{
			Scenario: workflows.Recovering, target: aService, short: "Bring a service back: restart it, roll it back, scale it out", reason: "customers see errors",
			long: `Service-recovery looks whether the service is sick, restarts it, rolls it back to the last healthy revision and scales it out, in this
order, until one of them helps. What cannot help is not tried and not waited for. With --pod it replaces one pod. A service that is well
is left alone, unless --override healthy says otherwise.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.ServiceRecoveryRequest{Request: asked, Service: f.target, Pod: f.pod, Unattended: f.unattended}
			},
			flags: func(command *cobra.Command, f *runFlags) {
				command.Flags().StringVar(&f.pod, "pod", "", "replace this pod of the service, and nothing else")
				command.Flags().BoolVar(&f.unattended, "unattended", false, "ask nobody when no remedy helps: undo what was changed, and end incomplete")
			},
		},
		{
			Scenario: workflows.Outage, short: "Bring everything back, data first, then the services tier by tier", reason: "nothing answers",
			long: `Full-outage diagnoses the estate, shows what it would recover and why, and recovers it in the plan's order: databases and Redis, then
the services, those of a tier at the same time. What cannot be recovered does not stop the rest; it is told to people and named.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.FullOutageRequest{Request: asked, Guided: f.guided, Skip: f.skip}
			},
			flags: func(command *cobra.Command, f *runFlags) {
				command.Flags().BoolVar(&f.guided, "guided", false, "a person agrees to each tier, and says how to go on when something is not recovered")
				command.Flags().StringSliceVar(&f.skip, "skip", nil, "a database, Redis server or service that is left alone; may be repeated")
			},
		},
		{
			Scenario: workflows.Evacuation, target: target{flag: "zone", named: "ap-northeast-1c", or: "node"},
			short: "Empty a zone, or one node, while its pods' budgets are kept", reason: "the cooling of 1c fails",
			long: `Zone-evacuation looks whether the rest can carry what runs in the zone and whether a database has its primary there, asks for
approval, cordons the nodes, frees the pods of machines that are proven off, drains the living ones by the Eviction API, and sees everything
Ready elsewhere. Stopped on its way, it uncordons exactly what it cordoned.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.ZoneEvacuationRequest{Request: asked, Zone: f.target, Node: f.instead}
			},
		},
		{
			Scenario: workflows.NodeLoss, target: target{flag: "node", named: "node-c1", or: "zone"},
			short: "See that what ran on a lost node, or zone, runs again", reason: "node-c1 is dead",
			long: `Node-recovery watches that Kubernetes brings back what ran on lost nodes, and acts when it does not: it looks whether the rest can carry
it and whether a database has lost its primary, frees the pods of machines that are proven off, and sees everything Ready again. What may
still run is never forced: it is named, and people are told. With --zone it recovers the lost nodes of a zone, and leaves the living ones.`,
			request: func(f runFlags, asked runbook.Request) any {
				return workflows.NodeRecoveryRequest{Request: asked, Node: f.target, Zone: f.instead}
			},
		},
	}
}

// refuse says what is wrong with the flags of a scenario.
func (o offer) refuse(f runFlags) error {
	if err := o.check(f); err != nil || o.wrong == nil {
		return err
	}
	return o.wrong(f)
}

func (s *session) runCommand() *cobra.Command {
	command := group(&cobra.Command{Use: "run", Short: "Run a recovery", Example: `  fukkyu run database-failover --database shodo --by yuki --reason "node-a1 is dead"`})
	for _, offer := range offers() {
		command.AddCommand(s.startCommand(offer, runbook.Live))
	}
	return command
}

func (s *session) rehearseCommand() *cobra.Command {
	command := group(&cobra.Command{Use: "rehearse", Short: "Ask every guard of a recovery and change nothing", Example: "  fukkyu rehearse database-failover --database shodo --by yuki"})
	for _, offer := range offers() {
		command.AddCommand(s.startCommand(offer, runbook.Rehearse))
	}
	return command
}

// runFlags are what a person says to start a recovery.
type runFlags struct {
	target, by, reason, plan, impact, detected, workflowID, approveAs, to, pod, instead string
	overrides, skip                                                                     []string
	resume, detach, plain, drill, relax, restore, unattended, guided                    bool
}

// modeOf is the mode of a run that is started with a command of that mode.
func (f runFlags) modeOf(command runbook.Mode) runbook.Mode {
	if f.drill {
		return runbook.Drill
	}
	return command
}

func (s *session) startCommand(offer offer, mode runbook.Mode) *cobra.Command {
	var f runFlags
	start := fmt.Sprintf("  fukkyu %s %s%s%s --by yuki", verbOf(mode), offer.Name, offer.extra, offer.example())
	command := &cobra.Command{
		Use: offer.Name, Short: offer.short,
		Long:    offer.long + "\n\nOn a terminal the run is drawn as by fukkyu watch. Ctrl-C only stops watching: the run goes on. To stop it, use fukkyu abort.",
		Example: fmt.Sprintf("%s --reason %q\n%s --detach", start, offer.reason, start),
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return s.start(command, offer, f.modeOf(mode), f) },
	}
	flags := command.Flags()
	offer.offerTo(command, &f)
	flags.StringVar(&f.by, "by", "", "your name (required)")
	flags.StringVar(&f.reason, "reason", "", "why; needed with --override")
	flags.StringSliceVar(&f.overrides, "override", nil, "guard to override by name; may be repeated")
	flags.StringVar(&f.plan, "plan", "", "name of the plan that the worker must have")
	flags.StringVar(&f.impact, "impact-started", "", "since when users are without service: a time like 2026-11-23T03:00:00+09:00, or how long ago, like 5m")
	flags.StringVar(&f.detected, "detected", "", "when the fault was first seen, in the same way")
	flags.BoolVar(&f.resume, "continue", false, "continue a recovery that stopped after its promotion")
	flags.StringVar(&f.workflowID, "workflow-id", "", "workflow ID instead of the usual one")
	flags.BoolVar(&f.detach, "detach", false, "do not wait for the end")
	flags.BoolVar(&f.plain, "plain", false, plainHelp)
	if mode == runbook.Live {
		flags.BoolVar(&f.drill, "drill", false, "a drill: everything is done for real, nobody is paged, and the report says so")
		flags.StringVar(&f.approveAs, "approve-as", "", "answer this run's approvals at once in this person's name, who agreed in advance")
	}
	if offer.flags != nil {
		offer.flags(command, &f)
	}
	return command
}

func verbOf(mode runbook.Mode) string {
	if mode == runbook.Rehearse {
		return "rehearse"
	}
	return "run"
}

// request turns the flags into what every scenario is asked with.
func (f runFlags) request(mode runbook.Mode, now time.Time) (runbook.Request, error) {
	request := runbook.Request{Plan: f.plan, Mode: mode, By: f.by, Reason: f.reason, Continue: f.resume}
	switch {
	case f.by == "":
		return request, usage("--by is missing: your name, for example --by yuki")
	case len(f.overrides) > 0 && f.reason == "":
		return request, usage("--override needs a --reason, which stands in the report")
	}
	for _, guard := range f.overrides {
		request.Overrides = append(request.Overrides, runbook.Override{Guard: guard, Reason: f.reason})
	}
	var err error
	if request.ImpactStarted, err = parseMoment("--impact-started", f.impact, now); err != nil {
		return request, err
	}
	request.Detected, err = parseMoment("--detected", f.detected, now)
	return request, err
}

// parseMoment reads a time, or how long ago something was. Empty is no time.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago.Abs()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage("%s %q is neither a time like 2026-11-23T03:00:00+09:00 nor a duration like 5m", flag, text)
	}
	return at, nil
}

func (s *session) start(command *cobra.Command, offer offer, mode runbook.Mode, f runFlags) error {
	if err := offer.refuse(f); err != nil {
		return err
	}
	asked, err := f.request(mode, time.Now())
	if err != nil {
		return err
	}
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	id := f.workflowID
	if id == "" {
		id = offer.ID(f.plan, cmp.Or(f.target, f.instead), mode)
	}
	run, err := connection.ExecuteWorkflow(command.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: runbook.Queue,
		StaticSummary:                            fmt.Sprintf("%s, %s, asked for by %s", offer.say(f), mode, f.by),
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		WorkflowTaskTimeout:                      taskTimeout,
		// No run timeout: it would cut a recovery, and its undo, in the middle.
	}, offer.Type, offer.request(f, asked))
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &running):
		return refused("%s is running already; watch it with: fukkyu watch %s", id, id)
	case err != nil:
		return fmt.Errorf("start %s: %w", id, err)
	}
	fmt.Fprintf(command.ErrOrStderr(), "started %s, run %s\n", run.GetID(), run.GetRunID())
	if f.detach {
		fmt.Fprintf(command.ErrOrStderr(), "watch it with: fukkyu watch %s\n", run.GetID())
		return &exit{code: exitWaiting, err: errors.New("")}
	}
	return s.watchRun(command, connection, run, watchFlags{plain: f.plain, approveAs: f.approveAs})
}
