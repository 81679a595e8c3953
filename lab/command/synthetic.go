package command

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/estate"
)

// newSynthetic is `lab synthetic`: many small services, for recoveries of a large estate.
func newSynthetic(s *session) *cobra.Command {
	group := &cobra.Command{
		Use: "synthetic", Short: "Add many small services in four tiers to the estate, and to the plan and the site of a worker",
		Example: "  lab synthetic up --services 60\n  lab synthetic plan plans/shodo.yaml > large-plan.yaml\n  lab synthetic site > \"$LAB_DIR/large-site.yaml\"\n  lab synthetic down",
		Args:    cobra.ArbitraryArgs, RunE: choose("synthetic command"),
	}
	group.AddCommand(newSyntheticUp(s), newSyntheticDown(s), newSyntheticPlan(s), newSyntheticSite(s))
	return group
}

func newSyntheticUp(s *session) *cobra.Command {
	var count int
	var startsIn time.Duration
	up := &cobra.Command{Use: "up", Short: "Make them, and wait until all are Ready", Example: "  lab synthetic up --services 60 --starts-in 5s", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case count < 1 || count > estate.MostSynthetic:
				return wrongUsage{fmt.Errorf("%d services: want 1 to %d", count, estate.MostSynthetic)}
			case startsIn < 0:
				return wrongUsage{fmt.Errorf("--starts-in %s: want no less than 0s", startsIn)}
			}
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			begun := time.Now()
			if err := estates[0].AddSynthetic(cmd.Context(), count, startsIn); err != nil {
				return err
			}
			return done(cmd, "%d synthetic services are Ready after %.1f s", count, time.Since(begun).Seconds())
		}}
	up.Flags().IntVar(&count, "services", 60, "how many")
	up.Flags().DurationVar(&startsIn, "starts-in", 0, "how long each takes until it listens, as one does that loads a model first")
	return up
}

func newSyntheticDown(s *session) *cobra.Command {
	return &cobra.Command{Use: "down", Short: "Take them away", Example: "  lab synthetic down", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			return estates[0].RemoveSynthetic(cmd.Context())
		}}
}

func newSyntheticPlan(s *session) *cobra.Command {
	return &cobra.Command{Use: "plan FILE", Short: "Print a plan with the synthetic services added to those of the file", Example: "  lab synthetic plan plans/shodo.yaml > large-plan.yaml",
		Args: exactly(1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			plan, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			text, err := estates[0].SyntheticPlan(cmd.Context(), string(plan))
			if err != nil {
				return fmt.Errorf("add to %s: %w", args[0], err)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		}}
}

func newSyntheticSite(s *session) *cobra.Command {
	return &cobra.Command{Use: "site", Short: "Print the lab's site with the synthetic services added; its references are relative to the data folder",
		Example: "  lab synthetic site > \"$LAB_DIR/large-site.yaml\"", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			text, err := estates[0].SyntheticSite(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		}}
}
