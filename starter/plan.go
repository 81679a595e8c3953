package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/spf13/cobra"
)

func (s *session) planCommand() *cobra.Command {
	command := group(&cobra.Command{Use: "plan", Short: "Check and show a plan", Example: "  fukkyu plan check plans/shodo.yaml"})
	command.AddCommand(s.planCheckCommand(), s.planShowCommand())
	return command
}

func oneFile(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one file\nexample:\n%s", command.CommandPath(), command.Example)
	}
	return nil
}

func (s *session) planCheckCommand() *cobra.Command {
	var site string
	command := &cobra.Command{
		Use:     "check FILE",
		Short:   "Read a plan, and a site for it, and say everything that is wrong",
		Example: "  fukkyu plan check plans/shodo.yaml\n  fukkyu plan check plans/shodo.yaml --site site.yaml",
		Args:    oneFile,
		RunE: func(command *cobra.Command, args []string) error {
			pinned, err := plan.Load(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s: plan %s %s is valid, %s\n", args[0], pinned.Plan.Name, pinned.Plan.Version, pinned.Hash)
			if site == "" {
				return nil
			}
			found, err := plan.LoadSite(site, pinned.Plan)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s: site %s is valid for it\n", site, found.Name)
			return nil
		},
	}
	command.Flags().StringVar(&site, "site", "", "site file to check against the plan")
	return command
}

func (s *session) planShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Print what a plan protects and who decides",
		Example: "  fukkyu plan show plans/shodo.yaml",
		Args:    oneFile,
		RunE: func(command *cobra.Command, args []string) error {
			pinned, err := plan.Load(args[0])
			if err != nil {
				return err
			}
			if s.output == outputJSON {
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(pinned)
			}
			fmt.Fprint(command.OutOrStdout(), show(pinned))
			return nil
		},
	}
}

// show is a plan as a person reads it.
func show(pinned plan.Pinned) string {
	var b strings.Builder
	p := pinned.Plan
	fmt.Fprintf(&b, "plan %s %s\n%s\n\nnamespace %s, regions %s\nRTO %s, RPO %s\n", p.Name, p.Version, pinned.Hash, p.Namespace, strings.Join(p.Regions, ", "), p.Objectives.RTO, p.Objectives.RPO)
	b.WriteString("\ndatabases\n")
	for _, d := range p.Databases {
		fmt.Fprintf(&b, "  %s in %s: primary %s, replicas %s, applications connect to Service %s\n", d.Name, d.Region, d.Primary, strings.Join(d.Replicas, ", "), d.Service)
		fmt.Fprintf(&b, "    role object %s, start gate %t, canary through %s, %d integrity queries\n", d.Role, d.StartGate, d.Canary.Service, len(d.Integrity))
	}
	b.WriteString("\nservices\n")
	for _, service := range p.Services {
		fmt.Fprintf(&b, "  tier %d  %s: %s\n", service.Tier, service.Name, strings.Join(service.Health, ", "))
	}
	b.WriteString("\npeople\n")
	for _, person := range p.People {
		fmt.Fprintf(&b, "  %s, %s\n", person.Name, person.Role)
	}
	failover := p.Runbooks.DatabaseFailover
	fmt.Fprintf(&b, "\ndatabase-failover\n  cooling-off %s\n", failover.CoolingOff)
	if failover.Approval.Needed == 0 {
		b.WriteString("  approval: nobody is asked\n")
		return b.String()
	}
	fmt.Fprintf(&b, "  approval: %d of %s; unanswered after %s: %s\n", failover.Approval.Needed, strings.Join(failover.Approval.From, ", "),
		failover.Approval.Unanswered.After, failover.Approval.Unanswered.Then)
	return b.String()
}
