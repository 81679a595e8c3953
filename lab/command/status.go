package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/estate"
	"github.com/shodo-ecosystem/fukkyu/lab/faults"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// labStatus is the machines and what runs on them, as one JSON document.
type labStatus struct {
	faults.Status
	Estates []estate.Status `json:"estates,omitempty"`
}

func newStatus(s *session) *cobra.Command {
	var output string
	status := &cobra.Command{Use: "status", Short: "Show the machines and the estate: power, faults, Ready, role, services, pods",
		Example: "  lab status\n  lab status --output json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return wrongUsage{fmt.Errorf("output %q: want text or json", output)}
			}
			lab, err := faults.Load(s.folder)
			if err != nil {
				return err
			}
			if err := needRoot(); err != nil {
				return err
			}
			status, err := lab.Status(cmd.Context())
			if err != nil {
				return err
			}
			whole := labStatus{Status: status, Estates: s.estateStatus(cmd.Context(), status)}
			if output == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(whole)
			}
			if err := printStatus(cmd.OutOrStdout(), status); err != nil {
				return err
			}
			return printEstates(cmd.OutOrStdout(), whole.Estates)
		}}
	status.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return status
}

func printStatus(out io.Writer, status faults.Status) error {
	fmt.Fprintf(out, "network %s, profile %s, up since %s\n", status.Network, status.Profile, status.Started.Format(time.RFC3339))
	served := "served"
	if !status.Daemon {
		served = "not served; bring it back with: lab up"
	}
	fmt.Fprintf(out, "power switch %s (%s)\n", status.Power, served)
	if status.ObjectStore != "" {
		fmt.Fprintf(out, "object store: out of order (%s)\n", status.ObjectStore)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, region := range status.Regions {
		answers := "answers"
		if !region.Answers {
			answers = "does not answer"
		}
		if region.Slow > 0 {
			answers += fmt.Sprintf(", and stands still for %s at a time", region.Slow)
		}
		fmt.Fprintf(table, "\nregion %s: control plane %s, API server %s %s\n", region.Name, region.ControlPlane, region.Server, answers)
		fmt.Fprintln(table, "NODE\tZONE\tADDRESS\tPOWER\tREADY\tFAULTS")
		for _, node := range region.Nodes {
			found := strings.Join(node.Faults, ", ")
			if found == "" {
				found = "-"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", node.Name, node.Zone, node.Address, node.Power, node.Ready, found)
		}
	}
	return table.Flush()
}

func newKubeconfig(s *session) *cobra.Command {
	var pathOnly bool
	kubeconfig := &cobra.Command{Use: "kubeconfig", Short: "Print the administrator's kubeconfig, or where it is",
		Example: "  export KUBECONFIG=$(lab kubeconfig --path)\n  lab kubeconfig > kubeconfig", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := topology.Load(s.folder); err != nil {
				return err
			}
			if pathOnly {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), s.folder.Kubeconfig())
				return err
			}
			data, err := os.ReadFile(s.folder.Kubeconfig())
			if err != nil {
				return fmt.Errorf("read the administrator's kubeconfig: %w; write it again with: lab up", err)
			}
			_, err = cmd.OutOrStdout().Write(append(data, '\n'))
			return err
		}}
	kubeconfig.Flags().BoolVar(&pathOnly, "path", false, "print the file's path only")
	return kubeconfig
}
