package workflows_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// returned is an estate after a failover: postgres-replica-0 replaced postgres-primary-0, whose machine is up again and whose pod is
// held down. On its volume are three transactions that nobody else has.
type returned struct {
	*estate
	nodeReady bool
	contents  volume.Contents
	lost      volume.FindLostResult
	known     volume.ReadLedgerResult
	rewinds   []volume.RewindResult // the answers in their order; the last is given again
	primary   postgres.Server
}

func newReturned(t *testing.T) *returned {
	t.Helper()
	r := &returned{estate: newEstate(t), nodeReady: true}
	r.found.Instances = slices.DeleteFunc(slices.Clone(r.found.Instances), func(i kubernetes.Instance) bool { return i.Pod == "postgres-primary-0" })
	r.found.RolePrimary, r.found.ServicePod, r.found.RoleEpoch = "postgres-replica-0", "postgres-replica-0", 6
	r.found.Sets = []kubernetes.Set{{Name: "postgres-primary", Replicas: 0}, {Name: "postgres-replica", Replicas: 3}}
	r.held = lease.ReadLeaseResult{Epoch: 6, Last: lease.Record{
		Holder: "database-failover/shodo/run", Phase: "finished", Outcome: "recovered", OldPrimary: "postgres-primary-0", OldNode: "node-a1", FinishedAt: r.began.Add(-time.Minute),
	}}
	r.primary = postgres.Server{Pod: "postgres-replica-0", Reached: true, Timeline: 2, SystemID: "77", History: []postgres.Fork{{Timeline: 1, At: 0x5000200}}}
	r.servers = []postgres.Server{r.primary}
	r.contents = volume.Contents{Home: "/data/pgdata", At: volume.AtHome, State: "in production", SystemID: "77", Timeline: 1, Checkpoint: 0x5000300, SegmentSize: 16 << 20}
	r.lost = volume.FindLostResult{Done: true, Transactions: 3, First: r.began.Add(-time.Hour), Last: r.began.Add(-time.Hour), End: 0x5000400}
	r.rewinds = []volume.RewindResult{{Copied: 1 << 20, Total: 4 << 20}, {Done: true, Copied: 4 << 20, Total: 4 << 20}}
	r.registerVolume()
	return r
}

func (r *returned) registerVolume() {
	handle(r.estate, "ReadNode", func(kubernetes.ReadNodeParams) (kubernetes.ReadNodeResult, error) {
		return kubernetes.ReadNodeResult{Ready: r.nodeReady, Said: "node-a1"}, nil
	})
	handle(r.estate, "OpenVolume", func(p volume.OpenVolumeParams) (volume.OpenVolumeResult, error) {
		return volume.OpenVolumeResult{Node: "node-a1", Mount: "/data"}, r.write("OpenVolume", "open %s of %s epoch %d", p.Pod, p.StatefulSet, p.Epoch)
	})
	handle(r.estate, "CloseVolume", func(p volume.CloseVolumeParams) (volume.CloseVolumeResult, error) {
		return volume.CloseVolumeResult{}, r.write("CloseVolume", "close %s", p.Pod)
	})
	handle(r.estate, "InspectVolume", func(volume.InspectVolumeParams) (volume.Contents, error) { return r.contents, nil })
	handle(r.estate, "ReadLedger", func(volume.ReadLedgerParams) (volume.ReadLedgerResult, error) { return r.known, nil })
	handle(r.estate, "TakeData", func(volume.TakeDataParams) (volume.TakeDataResult, error) {
		return volume.TakeDataResult{}, r.write("TakeData", "take data")
	})
	handle(r.estate, "FindLost", func(p volume.FindLostParams) (volume.FindLostResult, error) {
		return r.lost, r.write("FindLost", "find lost from %s on", p.Fork)
	})
	handle(r.estate, "Replay", func(volume.ReplayParams) (volume.ReplayResult, error) {
		return volume.ReplayResult{Done: true, Seen: "replayed"}, r.write("Replay", "replay")
	})
	handle(r.estate, "WriteLedger", func(p volume.WriteLedgerParams) (volume.WriteLedgerResult, error) {
		ledger := volume.Ledger{Path: volume.KeptIn(p.Home, p.Epoch) + "/ledger.jsonl", SHA256: "abc", Rows: 3, Lost: p.Lost,
			Tables: []volume.LostTable{{Name: "public.writes", Rows: 3, Inserted: 3, Keys: []string{`{"number": 41}`}}}}
		return volume.WriteLedgerResult{Done: true, Ledger: ledger}, r.write("WriteLedger", "write ledger")
	})
	handle(r.estate, "Rewind", func(p volume.RewindParams) (volume.RewindResult, error) {
		if err := r.write("Rewind", "rewind from %s", p.Host); err != nil {
			return volume.RewindResult{}, err
		}
		now := r.rewinds[0]
		r.rewinds = r.rewinds[min(1, len(r.rewinds)-1):]
		return now, nil
	})
	handle(r.estate, "ReturnData", func(p volume.ReturnDataParams) (volume.ReturnDataResult, error) {
		if p.Rewound {
			return volume.ReturnDataResult{}, r.write("ReturnData", "return data")
		}
		return volume.ReturnDataResult{}, r.write("ReturnData", "set data aside")
	})
	handle(r.estate, "RestoreData", func(volume.RestoreDataParams) (volume.RestoreDataResult, error) {
		return volume.RestoreDataResult{}, r.write("RestoreData", "restore data")
	})
	handle(r.estate, "AwaitReplica", func(p postgres.AwaitReplicaParams) (postgres.AwaitReplicaResult, error) {
		return postgres.AwaitReplicaResult{Streaming: true, Lag: 8, Seen: p.Replica + " is in state streaming"}, nil
	})
}

func (r *returned) run() report.Report {
	r.t.Helper()
	r.ExecuteWorkflow(workflows.RejoinName, workflows.RejoinRequest{Request: runbook.Request{By: "yuki"}, Database: "shodo"})
	require.True(r.t, r.IsWorkflowCompleted())
	require.NoError(r.t, r.GetWorkflowError())
	var got report.Report
	require.NoError(r.t, r.GetWorkflowResult(&got))
	return got
}

func (r *returned) refuse() string {
	r.t.Helper()
	r.ExecuteWorkflow(workflows.RejoinName, workflows.RejoinRequest{Request: runbook.Request{By: "yuki"}, Database: "shodo"})
	require.True(r.t, r.IsWorkflowCompleted())
	require.Error(r.t, r.GetWorkflowError())
	return r.GetWorkflowError().Error()
}

func factsIn(got report.Report) string {
	var said strings.Builder
	for _, fact := range got.Facts {
		said.WriteString(fact.Name + ": " + fact.Value + "\n")
	}
	return said.String()
}

// wholeRejoin is every write of a rejoin: the rows are kept before the rewind, and the pod comes up after the volume is closed.
var wholeRejoin = []string{
	"take lease",
	"open postgres-primary-0 of postgres-primary epoch 7",
	"take data",
	"find lost from 0/5000200 on",
	"replay",
	"write ledger",
	"rewind from postgres",
	"rewind from postgres",
	"return data",
	"close postgres-primary-0",
	"let up postgres-primary",
	"release lease finished",
}

func TestRejoin_FormerPrimaryWithLostRows_KeepsThemRewindsAndStreams(t *testing.T) {
	r := newReturned(t)
	got := r.run()
	require.Equal(t, wholeRejoin, r.journal)
	require.Equal(t, report.Recovered, got.Outcome)
	require.Contains(t, got.Summary, "3 transactions were committed on postgres-primary-0 alone")
	require.Contains(t, factsIn(got), `ledger: public.writes: 3 rows; changes: 3 inserted, 0 updated, 0 deleted; keys: {"number": 41}`)
	require.Contains(t, factsIn(got), "rewind: 4 of 4 MiB")
	require.Contains(t, strings.Join(got.Holds, "\n"), "/data/set-aside/rejoin-7/ledger.jsonl, sha256 abc")
	require.Contains(t, strings.Join(got.Holds, "\n"), "a replica that the failover added in its place stays")
	require.Equal(t, r.held.Last.FinishedAt, r.began.Add(-time.Minute), "the failover's cooling-off does not begin anew")
}

func TestRejoin_NothingLost_SaysThatTheLedgerIsEmpty(t *testing.T) {
	r := newReturned(t)
	r.contents.State, r.lost = "shut down", volume.FindLostResult{Done: true}
	got := r.run()
	require.Contains(t, got.Summary, "the ledger is empty")
	require.NotContains(t, r.journal, "replay", "a server that was shut down in order is not even started")
	require.NotContains(t, r.journal, "write ledger")
	require.Contains(t, r.journal, "return data")
}

func TestRejoin_ItMustNotBeTouched_IsRefusedOrUndone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*returned)
		says   string
		opened bool // it can only be known from the volume
	}{
		"nobody was replaced": {func(r *returned) { r.held.Last = lease.Record{} }, "remembers no primary that was replaced", false},
		"it is the primary": {func(r *returned) {
			r.found.RolePrimary, r.found.ServicePod = "postgres-primary-0", "postgres-primary-0"
		}, "has no primary", false},
		"a failover stopped half-way": {func(r *returned) { r.held.Last.Phase = "promoted" }, "stopped in phase promoted", false},
		"no primary":                  {func(r *returned) { r.found.RolePrimary = "" }, "has no primary", false},
		"applications are elsewhere":  {func(r *returned) { r.found.ServicePod = "postgres-replica-1" }, "and not to primary", false},
		"its machine is off":          {func(r *returned) { r.nodeReady = false }, "is not up", false},
		"its StatefulSet wants it":    {func(r *returned) { r.scale("postgres-primary", 1) }, "its start gate decides", false},
		"its pod is there": {func(r *returned) {
			r.found.Instances = append(r.found.Instances, kubernetes.Instance{Pod: "postgres-primary-0", Node: "node-a1"})
		}, "is still there", false},
		"another system":               {func(r *returned) { r.contents.SystemID = "78" }, "they have nothing in common", true},
		"another history":              {func(r *returned) { r.contents.Timeline = 3 }, "none that postgres-replica-0", true},
		"the new primary is silent":    {func(r *returned) { r.servers[0].Reached = false }, "cannot be asked", true},
		"the new primary is a replica": {func(r *returned) { r.servers[0].InRecovery = true }, "is a replica and not the new primary", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReturned(t)
			c.change(r)
			if !c.opened {
				require.Contains(t, r.refuse(), c.says)
				require.NotContains(t, strings.Join(r.journal, "\n"), "open")
				return
			}
			got := r.run()
			require.Equal(t, report.RolledBack, got.Outcome)
			require.Contains(t, got.Summary, c.says)
			require.NotContains(t, r.journal, "take data")
			require.Equal(t, []string{"close postgres-primary-0", "release lease finished"}, r.journal[len(r.journal)-2:])
		})
	}
}

func TestRejoin_ItCannotBeRewound_KeepsTheDataAsideAndLetsItClone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*returned)
		says   string
	}{
		"WAL is missing": {func(r *returned) {
			r.rewinds = []volume.RewindResult{{Impossible: "could not find previous WAL record"}}
		}, "could not find previous WAL record"},
		"the rewind broke off":  {func(r *returned) { r.rewinds = []volume.RewindResult{{Half: "No space left on device"}} }, "No space left on device"},
		"the ledger has no end": {func(r *returned) { r.lost = volume.FindLostResult{Done: true, Incomplete: "its WAL is gone"} }, "its WAL is gone"},
		"an earlier rewind broke off": {func(r *returned) {
			r.contents.At, r.contents.Rewinding = volume.AtWork, true
			r.known = volume.ReadLedgerResult{Found: true, Ledger: volume.Ledger{Path: "/data/set-aside/rejoin-7/ledger.jsonl", Lost: r.lost}}
		}, "an earlier rewind was interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReturned(t)
			c.change(r)
			got := r.run()
			require.Equal(t, report.Recovered, got.Outcome)
			require.Contains(t, r.journal, "set data aside")
			require.NotContains(t, r.journal, "return data")
			require.Contains(t, factsIn(got), "not rewound: ")
			require.Contains(t, strings.Join(got.Holds, "\n"), "/data/set-aside/rejoin-7/data until a person removes it")
			require.Contains(t, strings.Join(got.Holds, "\n"), c.says)
		})
	}
}

func TestRejoin_CannotBeRewoundAndNobodyClones_StandsStill(t *testing.T) {
	r := newReturned(t)
	r.plan.Databases[0].StartGate = false
	r.rewinds = []volume.RewindResult{{Impossible: "no WAL"}}
	r.decide(time.Minute, runbook.Abort, 1)
	got := r.run()
	require.Equal(t, report.Incomplete, got.Outcome)
	require.NotContains(t, r.journal, "let up postgres-primary")
	require.Contains(t, r.journal, "close postgres-primary-0")
}

// The maintenance pod may be lost at any moment. A new one is made, and what was done is found on the volume.
func TestRejoin_TheMaintenancePodIsLost_GoesOnInANewOne(t *testing.T) {
	for _, name := range []string{"TakeData", "FindLost", "Replay", "WriteLedger", "Rewind", "ReturnData"} {
		t.Run(name, func(t *testing.T) {
			r := newReturned(t)
			var once sync.Once
			r.before[name] = func() (err error) {
				once.Do(func() {
					err = temporal.NewNonRetryableApplicationError("the maintenance pod is gone", volume.Closed, nil)
				})
				return err
			}
			require.Equal(t, report.Recovered, r.run().Outcome)
			opened := slices.DeleteFunc(slices.Clone(r.journal), func(entry string) bool { return !strings.HasPrefix(entry, "open") })
			require.Len(t, opened, 2)
		})
	}
}

// A run that is cancelled before the rewind leaves the volume as it was found; afterwards it says what to do.
func TestRejoin_CancelledAtEachWrite_PutsTheDataBackOrSaysWhatIsMissing(t *testing.T) {
	for _, name := range []string{"OpenVolume", "TakeData", "FindLost", "Replay", "WriteLedger", "Rewind", "ReturnData", "CloseVolume"} {
		t.Run(name, func(t *testing.T) {
			r := newReturned(t)
			var once sync.Once
			r.after[name] = func() { once.Do(r.CancelWorkflow) }
			got := r.run()
			require.Equal(t, "release lease finished", r.journal[len(r.journal)-1])
			require.Contains(t, r.journal, "close postgres-primary-0")
			if slices.Contains([]string{"Rewind", "ReturnData", "CloseVolume"}, name) {
				require.Equal(t, report.Incomplete, got.Outcome)
				require.Contains(t, got.Next[0], "fukkyu run rejoin")
				return
			}
			require.Equal(t, report.RolledBack, got.Outcome)
			require.Equal(t, name != "OpenVolume", slices.Contains(r.journal, "restore data"))
			require.NotContains(t, r.journal, "let up postgres-primary")
		})
	}
}

// A run that was cut off after the data came back only has to let the pod up.
func TestRejoin_AfterOneThatGotAsFarAsTheEnd_OnlyLetsItUp(t *testing.T) {
	r := newReturned(t)
	r.contents.Follows, r.contents.Timeline = true, 2
	require.Equal(t, report.Recovered, r.run().Outcome)
	require.NotContains(t, r.journal, "take data")
	require.Contains(t, r.journal, "let up postgres-primary")
}

func TestRejoin_Rehearsed_ChangesNothing(t *testing.T) {
	r := newReturned(t)
	r.ExecuteWorkflow(workflows.RejoinName, workflows.RejoinRequest{Request: runbook.Request{By: "yuki", Mode: runbook.Rehearse}, Database: "shodo"})
	require.NoError(t, r.GetWorkflowError())
	require.Empty(t, r.journal)
}
