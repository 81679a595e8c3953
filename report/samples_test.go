package report_test

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
)

func after(millis int) time.Time { return three.Add(time.Duration(millis) * time.Millisecond) }

// failover is a recovery as the lab shows it: a machine was switched off and a replica was promoted.
func failover() report.Report {
	rto, rpo := 2098*time.Millisecond, 1167*time.Millisecond
	step := func(name string, from, to int, budget time.Duration, result string, changes ...string) report.Step {
		return report.Step{Name: name, State: report.Done, Started: after(from), Finished: after(to), Budget: budget, Attempts: 1, Result: result, Changes: changes, Undoable: len(changes) > 0}
	}
	promote := step("Promote the replica", 1698, 1960, 30*time.Second, "postgres-replica-0 is the primary on timeline 2, at 0/5006888",
		"ConfigMap postgres-role: names postgres-replica-0", "postgres-replica-0 becomes the primary and leaves timeline 1")
	promote.PointOfNoReturn, promote.Undoable = true, false
	gone := "from the worker: no answer: i/o timeout; from a pod elsewhere: no answer to pod postgres-replica-0; pod postgres-primary-0 is Running on node node-d1, which is Ready; power: machine node-d1 is Off; replicas last heard it at 2026-11-23T03:00:00.000402Z"
	const question = "Replace primary postgres-primary-0 of database shodo by postgres-replica-0?"
	return report.Report{
		Scenario: "DatabaseFailover", Target: "database shodo", Mode: "live", WorkflowID: "database-failover/shodo", RunID: "01a20918-1e96-7bc0-a3bf-a5b14d589a10",
		Plan: "shodo", PlanVersion: "1.0.0", PlanHash: "sha256:027e6ad43d203656abeaf5cdd947b2a5c7ec2b7ac3428be59cc951f01a08d1fd", Build: "v1.4.0",
		RequestedBy: "yuki", Reason: "the machine under the primary is off", Phase: "finished", Outcome: report.Recovered,
		Summary: "postgres-replica-0 replaced postgres-primary-0 as the primary of database shodo; proof that the old one is stopped: power off: the power service reports machine node-d1 as Off",
		Clocks: report.Clocks{ImpactStarted: after(0), Detected: after(1165), Declared: after(118), Decided: after(1269), Executing: after(1269),
			Recovered: after(2098), Finished: after(5418), Deadline: at(1800)},
		RTO: report.Measure{Target: 30 * time.Minute, Measured: &rto, How: "from the start of the impact to the first write acknowledged through the application"},
		RPO: report.Measure{Target: 5 * time.Minute, Measured: &rpo, How: "an upper bound, from the primary's last message to this replica until it was gone; rows are counted when the old data directory can be read"},
		Steps: []report.Step{
			step("Take the recovery lease", 190, 289, 5*time.Second, "epoch 1", "lease of database shodo: held by this run, epoch 1"),
			step("Confirm that the primary is gone", 288, 1165, 5*time.Second, gone),
			step("Choose the replica", 1165, 1165, 5*time.Second, "postgres-replica-0 at 0/5006858 on timeline 1; lost would be 0 bytes of WAL that the primary was known to have; the writes of at most the last 1.167s"),
			step("Fence the old primary", 1165, 1421, 5*time.Second, "the start gate is closed; StatefulSet postgres-primary has 0 replicas",
				"ConfigMap postgres-role: names nobody instead of postgres-primary-0, epoch 1", "StatefulSet postgres-primary: 0 replicas, was 1 replicas"),
			step("Prove that the old primary is stopped", 1421, 1476, 30*time.Second, "power off: the power service reports machine node-d1 as Off"),
			step("Stop the replicas from receiving", 1476, 1698, 5*time.Second, "postgres-replica-0 at 0/5006858, postgres-replica-1 at 0/5006858"),
			promote,
			step("Point the applications at the new primary", 1960, 2116, 5*time.Second, "Service postgres selects postgres-replica-0; the first write through shodo-backend was acknowledged at 2026-11-23T03:00:02.098304361Z",
				"Service postgres: selects postgres-replica-0"),
			step("Restore redundancy", 2116, 4853, 15*time.Minute, "streaming from postgres-replica-0: postgres-replica-1, postgres-replica-2", "StatefulSet postgres-replica: replicas 3, was 2; the new pod clones the primary"),
			step("Free the old primary's pod", 4853, 4984, 5*time.Second, "postgres-primary-0 is removed; data directory set aside on its volume claim", "pod postgres-primary-0: removed from the API; its volume claim and data directory stay"),
			step("Verify the whole service", 4984, 5312, 8*time.Minute, "a write and its reading back, 5 health endpoints, 4 integrity queries"),
			step("Release the recovery lease", 5312, 5417, 5*time.Second, ""),
		},
		Facts: []report.Fact{
			{Name: "replica to promote", Value: "postgres-replica-0 at 0/5006858 on timeline 1"},
			{Name: "acknowledged writes that would be lost", Value: "0 bytes of WAL that the primary was known to have; the writes of at most the last 1.167s (from the primary's last message to this replica until it was gone)"},
			{Name: "proof that the old primary is stopped", Value: "power off: the power service reports machine node-d1 as Off"},
			{Name: "timeline", Value: "2, was 1"},
			{Name: "integrity: size of the database", Value: "7655 kB"},
		},
		Checks: []report.Check{
			{Target: "database shodo", Name: "applications are sent to the primary", Measured: "postgres-replica-0", Expected: "postgres-replica-0", Verdict: report.CheckPassed},
			{Target: "database shodo", Name: "orders without a customer", Measured: "3", Expected: "0", Verdict: report.CheckFailed},
			{Target: "database shodo", Name: "inspect postgres-replica-0", Measured: "no answer in time", Verdict: report.CheckNotRun},
		},
		Decisions: []report.Decision{{At: after(1269), Verb: "approve", Question: 1, By: "aiko", Identity: "claimed", Comment: "seen what would be lost", Step: "Fence the old primary"}},
		Timeline: []report.Entry{
			{At: after(131), Kind: "run", Text: "DatabaseFailover asked for by yuki, plan shodo 1.0.0 pinned as sha256:027e6ad43d203656abeaf5cdd947b2a5c7ec2b7ac3428be59cc951f01a08d1fd"},
			{At: after(289), Kind: "step", Step: "Take the recovery lease", Text: "epoch 1"},
			{At: after(1165), Kind: "step", Step: "Confirm that the primary is gone", Text: gone},
			{At: after(1165), Kind: "question", Step: "Fence the old primary", Text: "question 1: " + question},
			{At: after(1269), Kind: "decision", Step: "Fence the old primary", Text: "approve by aiko: seen what would be lost"},
			{At: after(1421), Kind: "step", Step: "Fence the old primary", Text: "the start gate is closed; StatefulSet postgres-primary has 0 replicas"},
			{At: after(1758), Kind: "run", Step: "Promote the replica", Text: "point of no return passed: nothing is undone from here on"},
			{At: after(1960), Kind: "step", Step: "Promote the replica", Text: "postgres-replica-0 is the primary on timeline 2, at 0/5006888"},
			{At: after(5418), Kind: "run", Text: "recovered: postgres-replica-0 replaced postgres-primary-0 as the primary of database shodo"},
		},
		Notifications: []report.Notification{
			{At: after(1166), Channel: "on-call-pager", Kind: "pagerduty", To: "events.pagerduty.com", Event: "trigger", Level: "L1", Text: "it asks: " + question, State: report.Sent, Done: after(1320)},
			{At: after(1166), Channel: "executives-mail", Kind: "email", To: "executives@example.com", Event: "trigger", Level: "L1", Text: "it asks: " + question, State: report.Undelivered, Why: "the mail server did not greet within 10s", Done: after(5418)},
			{At: after(5418), Channel: "on-call-pager", Kind: "pagerduty", To: "events.pagerduty.com", Event: "resolve", Level: "L1", Text: "it ended recovered", State: report.Withheld, Why: "a drill never pages", Done: after(5418)},
		},
		Holds: []string{"the data directory of postgres-primary-0 is set aside untouched on its volume claim until a person lets it go"},
	}
}

// asking is the same run while it asks a person.
func asking() report.Report {
	going := failover()
	going.Phase, going.Outcome, going.Summary, going.Holds = "asking", "", "", nil
	going.Clocks = report.Clocks{ImpactStarted: after(0), Detected: after(1165), Declared: after(118), Deadline: at(1800)}
	going.Forecast = &report.Forecast{Recovered: after(2400), Finished: after(5800), Runs: 7}
	going.Notifications = going.Notifications[:1]
	going.RTO.Measured, going.RPO.Measured = nil, nil
	going.Decisions, going.Timeline = nil, going.Timeline[:4]
	for i := range going.Steps {
		step := &going.Steps[i]
		switch {
		case i == 3:
			step.State, step.Finished, step.Result = report.Asking, time.Time{}, ""
		case i > 3:
			*step = report.Step{Name: step.Name, State: report.Pending, Budget: step.Budget}
		}
	}
	going.Question = &report.Question{
		Number: 1, Step: "Fence the old primary", Text: "Replace primary postgres-primary-0 of database shodo by postgres-replica-0?", Facts: going.Facts[:2],
		Answers: []string{"approve", "reject"}, From: []string{"aiko", "cto"}, Needed: 1, Asked: after(1165), Unanswered: "after 30m0s the plan's default is reject",
	}
	return going
}

// stopped is a recovery that could not be ended and needs a person, told by Japanese operators.
func stopped() report.Report {
	r := failover()
	took := 47*time.Minute + 12*time.Second
	r.Outcome, r.RTO.Measured = report.Incomplete, &took
	r.RequestedBy, r.Reason = "鈴木 愛子", "東京リージョンのプライマリを載せたマシンの電源が落ち、書き込みが止まったため"
	r.Summary = "postgres-replica-0 は昇格しましたが、冗長性を回復できませんでした"
	r.RPO = report.Measure{Target: 5 * time.Minute, How: "古いプライマリのデータディレクトリを読めるようになるまで、誰にも分かりません"}
	r.Clocks.Finished, r.Clocks.Recovered = at(2900), at(2832)
	r.Steps[4].State = report.Failed
	r.Steps[7].State, r.Steps[7].Finished = report.Done, at(2832)
	r.Steps[8] = report.Step{Name: "Restore redundancy", State: report.Failed, Budget: 15 * time.Minute, Started: at(1700), Finished: at(2890), Attempts: 3, Result: "node-b1 の空き容量が不足しています: 12 GiB 必要、3 GiB 空き"}
	for i := 9; i < len(r.Steps); i++ {
		r.Steps[i] = report.Step{Name: r.Steps[i].Name, State: report.Pending, Budget: r.Steps[i].Budget}
	}
	r.Decisions[0].By, r.Decisions[0].Comment, r.Decisions[0].At = "佐藤 健", "失われる書き込みの量を確認した", at(1500)
	r.Overrides = []report.Override{{At: at(1501), Guard: "unproven-fence", By: "鈴木 愛子", Reason: "電源装置に到達できず、現地で停止を確認した", Step: "Prove that the old primary is stopped", Said: "nothing proves that postgres-primary-0 is stopped"}}
	r.Rejected = []report.Rejected{{At: at(1400), Verb: "approve", By: "田中", Why: "田中 is not among those who may answer question 1: aiko, cto"}}
	r.Missing = []string{"冗長性: 同期レプリカがありません", "古いプライマリの Pod が残っています"}
	r.Next = []string{"fukkyu run database-failover --database shodo --by NAME --continue"}
	r.Holds = append(r.Holds, "アプリケーションは postgres-replica-0 に書き込んでいます")
	return r
}

// long is a night with many steps and five hundred entries, some of them without a place to break a line.
func long() report.Report {
	r := failover()
	r.Reason = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	r.Steps[2].Name = "Choose_the_replica_that_lost_least_among_all_of_them_in_every_region_and_zone"
	for i := range 500 {
		r.Timeline = append(r.Timeline, report.Entry{At: at(i * 60), Kind: "clock", Step: fmt.Sprintf("step %d", i%40), Text: fmt.Sprintf("entry %d", i)})
	}
	for i := range 40 {
		r.Steps = append(r.Steps, report.Step{Name: fmt.Sprintf("step %d", i), State: report.Done, Started: at(i * 600), Finished: at(i*600 + 570), Attempts: i % 4, Budget: 10 * time.Minute})
	}
	r.Clocks.Finished = at(500 * 60)
	return r
}
