package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/history"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/activities/pin"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// estate stands in for everything that a failover touches, in Temporal's test environment, where time is skipped and nothing
// real can run. It keeps the ordered list of writes, which is what the tests assert. Activities meet the real systems in
// their own tests, and in the lab.
type estate struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	plan    plan.Plan
	mutex   sync.Mutex // an activity of a cancelled run may still be at work in the test environment
	acting  sync.Mutex // held by the stand-in that acts
	journal []string
	told    []notify.Message
	slotted []string // what became of replication slots
	began   time.Time

	held       lease.ReadLeaseResult
	found      kubernetes.Estate
	answersSQL bool
	answersPod bool
	stillHears bool // a replica hears the primary again and again
	powerState string
	stopped    bool // the kubelet reports the end of the primary's container
	servers    []postgres.Server
	timeline   uint32
	shutDown   bool // a primary that is told to shut down does so
	comesBack  bool // and accepts writes when its gate is opened again

	// before runs ahead of the activity of that name, so that a test can change the estate at an exact moment; after runs when
	// it has acted and has not answered yet.
	before map[string]func() error
	after  map[string]func()
}

// newEstate is one whose primary postgres-primary-0 died with its machine a second ago: three instances in three zones.
func newEstate(t *testing.T) *estate {
	t.Helper()
	e := newBareEstate(t)
	e.found = kubernetes.Estate{
		Instances: []kubernetes.Instance{
			{Pod: "postgres-primary-0", UID: "uid-p", StatefulSet: "postgres-primary", Node: "node-a1", Zone: "a", IP: "10.0.0.1", Port: 5432, Phase: "Running", NodeReady: false, NodeHeartbeat: e.began.Add(-3 * time.Second)},
			{Pod: "postgres-replica-0", UID: "uid-0", StatefulSet: "postgres-replica", Node: "node-c1", Zone: "c", IP: "10.0.0.2", Port: 5432, Phase: "Running", NodeReady: true},
			{Pod: "postgres-replica-1", UID: "uid-1", StatefulSet: "postgres-replica", Ordinal: 1, Node: "node-d1", Zone: "d", IP: "10.0.0.3", Port: 5432, Phase: "Running", NodeReady: true},
		},
		Sets:        []kubernetes.Set{{Name: "postgres-primary", Replicas: 1}, {Name: "postgres-replica", Replicas: 2}},
		RolePrimary: "postgres-primary-0", ServicePod: "postgres-primary-0",
	}
	e.servers = []postgres.Server{e.replica("postgres-replica-0", 0x5000200), e.replica("postgres-replica-1", 0x5000100)}
	workflows.Register(e)
	return e
}

// newBareEstate has the plan and the stand-ins, and no workflow yet.
func newBareEstate(t *testing.T) *estate {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	e := &estate{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, plan: pinned.Plan, powerState: power.Off, timeline: 1, before: map[string]func() error{}, after: map[string]func(){}}
	e.SetTestTimeout(30 * time.Second)
	e.began = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	e.SetStartTime(e.began)
	e.register()
	return e
}

// replica heard the primary a second before the run began.
func (e *estate) replica(pod string, position postgres.LSN) postgres.Server {
	return postgres.Server{Pod: pod, Reached: true, InRecovery: true, Timeline: 1, SystemID: "77", ReceiveLSN: position, ReplayLSN: position,
		LastHeard: e.began.Add(-time.Second), PrimaryEnd: 0x5000200}
}

// write is a change of the estate: it is in the journal, in its order.
func (e *estate) write(name, format string, args ...any) error {
	if before := e.before[name]; before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	e.mutex.Lock()
	e.journal = append(e.journal, fmt.Sprintf(format, args...))
	e.mutex.Unlock()
	if after := e.after[name]; after != nil {
		after()
	}
	return nil
}

// handle registers a stand-in under the name of a real activity and with its types. Stand-ins act one at a time: a run need not wait for what it
// has begun.
func handle[P, R any](e *estate, name string, run func(P) (R, error)) {
	act := func(_ context.Context, params P) (R, error) {
		e.acting.Lock()
		defer e.acting.Unlock()
		return run(params)
	}
	e.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: name})
}

func (e *estate) register() {
	handle(e, "PinPlan", func(pin.Params) (pin.Result, error) {
		return pin.Result{Pinned: plan.Pinned{Plan: e.plan, Hash: "sha256:0"}, Build: "test"}, nil
	})
	handle(e, "StepTimes", func(history.StepTimesParams) (history.StepTimesResult, error) { return history.StepTimesResult{}, nil })
	handle(e, "Send", func(m notify.Message) (notify.Sent, error) {
		e.mutex.Lock()
		defer e.mutex.Unlock()
		e.told = append(e.told, m)
		return notify.Sent{Kind: "webhook", To: "sink"}, nil
	})
	e.registerLease()
	e.registerKubernetes()
	e.registerPostgres()
	handle(e, "ReadPower", func(power.ReadPowerParams) (power.ReadPowerResult, error) {
		return power.ReadPowerResult{Known: true, State: e.powerState, Said: "node-a1 is " + e.powerState}, nil
	})
	handle(e, "SwitchOff", func(p power.SwitchParams) (power.SwitchResult, error) {
		e.powerState = power.Off
		return power.SwitchResult{}, e.write("SwitchOff", "switch %s off", p.Node)
	})
	handle(e, "SwitchOn", func(p power.SwitchParams) (power.SwitchResult, error) {
		return power.SwitchResult{}, e.write("SwitchOn", "switch %s on", p.Node)
	})
	handle(e, "AwaitOff", func(power.AwaitOffParams) (power.AwaitOffResult, error) {
		if e.powerState == power.Off {
			return power.AwaitOffResult{Off: true, Proof: "power off", Seen: "off"}, nil
		}
		return power.AwaitOffResult{Seen: "node-a1 is on"}, nil
	})
	handle(e, "WriteCanary", func(application.WriteCanaryParams) (application.WriteCanaryResult, error) {
		return application.WriteCanaryResult{At: e.Now()}, e.write("WriteCanary", "canary")
	})
	handle(e, "CheckHealth", func(application.CheckHealthParams) (application.CheckHealthResult, error) {
		return application.CheckHealthResult{}, nil
	})
}

func (e *estate) registerLease() {
	handle(e, "ReadLease", func(lease.ReadLeaseParams) (lease.ReadLeaseResult, error) { return e.held, nil })
	handle(e, "AcquireLease", func(lease.AcquireLeaseParams) (lease.AcquireLeaseResult, error) {
		return lease.AcquireLeaseResult{Epoch: 7}, e.write("AcquireLease", "take lease")
	})
	handle(e, "RecordLease", func(p lease.RecordLeaseParams) (lease.RecordLeaseResult, error) {
		return lease.RecordLeaseResult{}, e.write("RecordLease", "remember %s", p.Record.Phase)
	})
	handle(e, "ReleaseLease", func(p lease.ReleaseLeaseParams) (lease.ReleaseLeaseResult, error) {
		return lease.ReleaseLeaseResult{}, e.write("ReleaseLease", "release lease %s", p.Record.Phase)
	})
}

func (e *estate) registerKubernetes() {
	handle(e, "ReadEstate", func(kubernetes.ReadEstateParams) (kubernetes.Estate, error) { return e.found, nil })
	handle(e, "ProbeFromPod", func(kubernetes.ProbeFromPodParams) (kubernetes.ProbeFromPodResult, error) {
		return kubernetes.ProbeFromPodResult{From: "postgres-replica-0", Answered: e.answersPod, Could: true, Said: "pg_isready"}, nil
	})
	handle(e, "CloseRole", func(p kubernetes.CloseRoleParams) (kubernetes.CloseRoleResult, error) {
		return kubernetes.CloseRoleResult{}, e.write("CloseRole", "close gate from %s epoch %d", p.From, p.Epoch)
	})
	handle(e, "OpenRole", func(p kubernetes.OpenRoleParams) (kubernetes.OpenRoleResult, error) {
		return kubernetes.OpenRoleResult{}, e.write("OpenRole", "open gate for %s", p.Pod)
	})
	handle(e, "HoldDown", func(p kubernetes.HoldDownParams) (kubernetes.HoldDownResult, error) {
		e.scale(p.Before.Name, p.Before.Replicas-1)
		return kubernetes.HoldDownResult{How: "held"}, e.write("HoldDown", "hold down %s", p.Pod)
	})
	handle(e, "LetUp", func(p kubernetes.LetUpParams) (kubernetes.LetUpResult, error) {
		return kubernetes.LetUpResult{}, e.write("LetUp", "let up %s", p.Before.Name)
	})
	handle(e, "AwaitStopped", func(kubernetes.AwaitStoppedParams) (kubernetes.AwaitStoppedResult, error) {
		if e.stopped {
			return kubernetes.AwaitStoppedResult{Stopped: true, Proof: "container gone"}, nil
		}
		return kubernetes.AwaitStoppedResult{Seen: "node-a1 is not Ready"}, nil
	})
	handle(e, "StopServer", func(p kubernetes.StopServerParams) (kubernetes.StopServerResult, error) {
		return kubernetes.StopServerResult{Told: true, Said: "told"}, e.write("StopServer", "%s shutdown of %s", p.Mode, p.Pod)
	})
	handle(e, "PointService", func(p kubernetes.PointServiceParams) (kubernetes.PointServiceResult, error) {
		return kubernetes.PointServiceResult{}, e.write("PointService", "point service at %s", p.To)
	})
	handle(e, "AddReplica", func(p kubernetes.AddReplicaParams) (kubernetes.AddReplicaResult, error) {
		e.scale(p.Set.Name, p.Replicas)
		return kubernetes.AddReplicaResult{}, e.write("AddReplica", "grow %s to %d", p.Set.Name, p.Replicas)
	})
	handle(e, "FreePod", func(p kubernetes.FreePodParams) (kubernetes.FreePodResult, error) {
		return kubernetes.FreePodResult{}, e.write("FreePod", "free %s", p.Pod)
	})
}

func (e *estate) scale(set string, replicas int32) {
	e.found.Sets = slices.Clone(e.found.Sets)
	for i := range e.found.Sets {
		if e.found.Sets[i].Name == set {
			e.found.Sets[i].Replicas = replicas
		}
	}
}

func (e *estate) registerPostgres() {
	handle(e, "ProbeServer", func(postgres.ProbeServerParams) (postgres.ProbeServerResult, error) {
		return postgres.ProbeServerResult{TCP: e.answersSQL, SQL: e.answersSQL, Said: "no answer"}, nil
	})
	handle(e, "ReadServers", func(postgres.ReadServersParams) (postgres.ReadServersResult, error) {
		if e.stillHears {
			e.servers = slices.Clone(e.servers)
			e.servers[0].LastHeard = e.servers[0].LastHeard.Add(time.Millisecond)
		}
		return postgres.ReadServersResult{Servers: e.servers, At: e.Now()}, nil
	})
	handle(e, "StopReceiving", func(postgres.StopReceivingParams) (postgres.StopReceivingResult, error) {
		return postgres.StopReceivingResult{Servers: e.servers}, e.write("StopReceiving", "stop receivers")
	})
	handle(e, "Promote", func(p postgres.PromoteParams) (postgres.PromoteResult, error) {
		if err := e.write("Promote", "promote %s from timeline %d", p.Instance.Pod, p.FromTimeline); err != nil {
			return postgres.PromoteResult{}, err
		}
		return postgres.PromoteResult{Timeline: e.timeline + 1, LSN: 0x6000000}, nil
	})
	handle(e, "SetSynchronous", func(p postgres.SetSynchronousParams) (postgres.SetSynchronousResult, error) {
		return postgres.SetSynchronousResult{}, e.write("SetSynchronous", "commits of %s wait for %q", p.Instance.Pod, p.Names)
	})
	handle(e, "PrepareShutdown", func(postgres.PrepareShutdownParams) (postgres.PrepareShutdownResult, error) {
		return postgres.PrepareShutdownResult{DataDirectory: "/data", Programs: "/bin", LSN: 0x5000200}, e.write("PrepareShutdown", "write checkpoints")
	})
	handle(e, "AwaitShutdown", func(p postgres.AwaitShutdownParams) (postgres.AwaitShutdownResult, error) {
		if !e.shutDown {
			return postgres.AwaitShutdownResult{Seen: "the primary still sends WAL"}, nil
		}
		return postgres.AwaitShutdownResult{Proof: "shutdown checkpoint on " + p.Replica.Pod}, nil
	})
	handle(e, "AwaitWritable", func(p postgres.AwaitWritableParams) (postgres.AwaitWritableResult, error) {
		return postgres.AwaitWritableResult{Writable: e.comesBack, Seen: p.Instance.Pod}, nil
	})
	handle(e, "AwaitStreaming", func(postgres.AwaitStreamingParams) (postgres.AwaitStreamingResult, error) {
		return postgres.AwaitStreamingResult{Enough: true, Streaming: []string{"10.0.0.3", "10.0.0.4"}}, nil
	})
	handle(e, "RecreateSlots", func(p postgres.RecreateSlotsParams) (postgres.RecreateSlotsResult, error) {
		for _, replica := range p.Replicas {
			e.slotted = append(e.slotted, p.Primary.Pod+" for "+replica.Pod)
		}
		return postgres.RecreateSlotsResult{Made: []string{"zone_d"}}, nil
	})
	handle(e, "DropStaleSlots", func(p postgres.DropStaleSlotsParams) (postgres.DropStaleSlotsResult, error) {
		e.slotted = append(e.slotted, "drop of "+p.Former.Pod+", primary "+p.Primary.Pod)
		return postgres.DropStaleSlotsResult{Dropped: []string{"zone_d"}}, nil
	})
	handle(e, "InspectServer", func(postgres.InspectServerParams) (postgres.InspectServerResult, error) {
		return postgres.InspectServerResult{Checks: []integrity.Check{integrity.Compare("recovery state", "primary", "primary")}}, nil
	})
	handle(e, "CheckIntegrity", func(postgres.CheckIntegrityParams) (postgres.CheckIntegrityResult, error) {
		return postgres.CheckIntegrityResult{}, nil
	})
}

// automatic lets the plan approve, as a drill's plan may.
func (e *estate) automatic() *estate {
	e.plan.Runbooks.DatabaseFailover.Approval.Needed = 0
	return e
}

// run starts the failover and returns the report of the run that took place.
func (e *estate) run(request workflows.DatabaseFailoverRequest) report.Report {
	e.t.Helper()
	e.ExecuteWorkflow(workflows.DatabaseFailoverName, request)
	require.True(e.t, e.IsWorkflowCompleted())
	require.NoError(e.t, e.GetWorkflowError())
	var got report.Report
	require.NoError(e.t, e.GetWorkflowResult(&got))
	return got
}

// runWithin is run for a failover that another run begins.
func (e *estate) runWithin(request workflows.DatabaseFailoverRequest) report.Report {
	e.t.Helper()
	request.DecidedBy = "full-outage/shodo/run-1"
	e.RegisterWorkflowWithOptions(func(ctx workflow.Context) (got report.Report, err error) {
		err = workflow.ExecuteChildWorkflow(ctx, workflows.DatabaseFailoverName, request).Get(ctx, &got)
		return got, err
	}, workflow.RegisterOptions{Name: "parent"})
	e.ExecuteWorkflow("parent")
	require.NoError(e.t, e.GetWorkflowError())
	var got report.Report
	require.NoError(e.t, e.GetWorkflowResult(&got))
	return got
}

// refuse starts the failover, which must refuse, and returns what it said.
func (e *estate) refuse(request workflows.DatabaseFailoverRequest) string {
	e.t.Helper()
	e.ExecuteWorkflow(workflows.DatabaseFailoverName, request)
	require.True(e.t, e.IsWorkflowCompleted())
	require.Error(e.t, e.GetWorkflowError())
	return e.GetWorkflowError().Error()
}

// status is what the run shows of itself.
func (e *estate) status() report.Report {
	e.t.Helper()
	answer, err := e.QueryWorkflow(runbook.StatusQuery)
	require.NoError(e.t, err)
	var got report.Report
	require.NoError(e.t, answer.Get(&got))
	return got
}

// approve and decide answer a question by signal, when the run has lasted that long.
func (e *estate) approve(after time.Duration, question int) {
	e.decide(after, runbook.Approve, question)
}

func (e *estate) decide(after time.Duration, verb string, question int) {
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(verb, runbook.Decision{Question: question, By: "yuki"}) }, after)
}

func factsOf(question *report.Question) string {
	var said string
	for _, fact := range question.Facts {
		said += fact.Name + ": " + fact.Value + "\n"
	}
	return said
}
