package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// listed is how many runs a list shows at most: more than a person reads.
const listed = 50

func (s *session) listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List recoveries, the newest first", Example: "  fukkyu list\n  fukkyu list --output json", Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return s.list(command) },
	}
}

// entry is one run in a list.
type entry struct {
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
	Scenario   string    `json:"scenario"`
	Started    time.Time `json:"started"`
	Status     string    `json:"status"` // Temporal's
	Mode       string    `json:"mode"`
	Phase      string    `json:"phase"`
	Outcome    string    `json:"outcome"`
}

func (s *session) list(command *cobra.Command) error {
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	found, err := find(command.Context(), connection, workflows.Recoveries())
	if err != nil {
		return err
	}
	if s.output == outputJSON {
		encoder := json.NewEncoder(command.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(found)
	}
	if len(found) == 0 {
		fmt.Fprintln(command.ErrOrStderr(), "no recovery has been run yet; rehearse one: fukkyu rehearse database-failover --database NAME --by NAME")
		return nil
	}
	return table(command.OutOrStdout(), found)
}

func table(out io.Writer, found []entry) error {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, "WORKFLOW\tSTARTED\tMODE\tPHASE\tOUTCOME\tSTATUS")
	for _, e := range found {
		fmt.Fprintf(writer, "%s\t%s\t%s\t%s\t%s\t%s\n", e.WorkflowID, e.Started.Local().Format(time.DateTime), e.Mode, e.Phase, e.Outcome, e.Status)
	}
	return writer.Flush()
}

// find lists the runs that a visibility query finds.
func find(ctx context.Context, connection client.Client, query string) ([]entry, error) {
	answer, err := connection.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: listed})
	if err != nil {
		return nil, fmt.Errorf("list recoveries: %w; has fukkyu setup been run?", err)
	}
	found := []entry{}
	for _, info := range answer.GetExecutions() {
		found = append(found, entry{
			WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), Scenario: info.GetType().GetName(),
			Started: info.GetStartTime().AsTime(), Status: strings.ToLower(info.GetStatus().String()),
			Mode: temporalclient.Attribute[string](info, runbook.AttributeMode), Phase: temporalclient.Attribute[string](info, runbook.AttributePhase), Outcome: temporalclient.Attribute[string](info, runbook.AttributeOutcome),
		})
	}
	return found, nil
}

// workflowOf is the workflow that was named, or the only recovery that runs.
func (s *session) workflowOf(ctx context.Context, connection client.Client, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	found, err := find(ctx, connection, workflows.Recoveries()+" AND ExecutionStatus = 'Running'")
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", refused("no recovery is running; name one of fukkyu list")
	case 1:
		return found[0].WorkflowID, nil
	}
	var names []string
	for _, e := range found {
		names = append(names, e.WorkflowID)
	}
	return "", usage("%d recoveries are running; name one: %s", len(found), strings.Join(names, ", "))
}

// runOf is the newest run of a workflow, and whether it goes on. Temporal knows that without a worker.
func runOf(ctx context.Context, connection client.Client, id string) (run client.WorkflowRun, running bool, err error) {
	described, err := connection.DescribeWorkflowExecution(ctx, id, "")
	var unknown *serviceerror.NotFound
	switch {
	case errors.As(err, &unknown):
		return nil, false, refused("no recovery %s: %s; see fukkyu list", id, brief(err))
	case err != nil:
		return nil, false, fmt.Errorf("ask Temporal for %s: %w", id, err)
	}
	info := described.GetWorkflowExecutionInfo()
	return connection.GetWorkflow(ctx, id, info.GetExecution().GetRunId()), info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

func (s *session) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [WORKFLOW]", Short: "Show how a run stands: its steps, its question, how to answer it",
		Long:    "Status shows how a run stands. WORKFLOW may be left out while exactly one recovery runs.",
		Example: "  fukkyu status\n  fukkyu status database-failover/shodo --output json", Args: atMostOne,
		RunE: func(command *cobra.Command, args []string) error {
			return s.withReport(command, args, func(now report.Report) error {
				if s.output == outputJSON {
					return s.print(command.OutOrStdout(), now)
				}
				_, err := io.WriteString(command.OutOrStdout(), now.Status())
				return err
			})
		},
	}
}

// withReport hands over the result of a run that has ended, or the status of one that goes on.
func (s *session) withReport(command *cobra.Command, args []string, use func(report.Report) error) error {
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	id, err := s.workflowOf(command.Context(), connection, args)
	if err != nil {
		return err
	}
	run, running, err := runOf(command.Context(), connection, id)
	if err != nil {
		return err
	}
	if !running {
		var final report.Report
		if err := run.Get(command.Context(), &final); err != nil {
			return endedBy(err)
		}
		return use(final)
	}
	ctx, cancel := context.WithTimeout(command.Context(), updateTimeout)
	defer cancel()
	now, err := statusOf(ctx, connection, id, "")
	if away(err) {
		return &exit{code: exitWaiting, err: fmt.Errorf("%s is running, but no worker answers; its history is safe in Temporal and goes on with the next worker", id)}
	}
	if err != nil {
		return fmt.Errorf("ask %s how it stands: %w", id, err)
	}
	return use(now)
}
