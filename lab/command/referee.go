package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/referee"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newReferee is `lab referee`: the customer from outside.
func newReferee(s *session) *cobra.Command {
	group := &cobra.Command{
		Use:     "referee",
		Short:   "Let a customer write from outside, and hear what they saw",
		Example: "  lab referee start\n  lab break power-off primary\n  lab referee stop\n  lab referee verdict",
		Args:    cobra.ArbitraryArgs,
		RunE:    choose("referee command"),
	}
	group.AddCommand(newRefereeStart(s), newRefereeStop(s), newRefereeVerdict(s), newRefereeWrite(s))
	return group
}

func (s *session) referee() process.Daemon { return process.Daemon{Folder: s.folder, Name: "referee"} }

// customerURL is where customers reach the backend.
func (s *session) customerURL() (string, error) {
	lab, _, err := topology.Load(s.folder)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("http://%s:%d", lab.Host(), topology.BackendPort), nil
}

func newRefereeStart(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "start", Short: "Begin to write, in the background; what was seen before is forgotten", Example: "  lab referee start", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := s.customerURL()
			if err != nil {
				return err
			}
			if _, running := s.referee().Running(); running {
				return errors.New("the referee watches already; stop it with: lab referee stop")
			}
			if err := os.Remove(s.folder.Acknowledgements()); err != nil && !os.IsNotExist(err) {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			if err := s.referee().Start(self, "--dir", string(s.folder), "referee", "write", "--url", url); err != nil {
				return err
			}
			return s.awaitFirst(cmd.Context())
		},
	}
}

// awaitFirst returns when the referee has seen its first acknowledgement: only then it can tell a gap from a slow start.
func (s *session) awaitFirst(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if all, err := referee.Acknowledgements(s.folder.Acknowledgements()); err == nil && len(all) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the referee got no acknowledgement within 30 s: is the backend up? see lab status and %s", s.referee().Log())
		case <-ticker.C:
		}
	}
}

func newRefereeStop(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "Stop writing", Example: "  lab referee stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.referee().Stop(cmd.Context()); err != nil {
				return err
			}
			return topology.WriteFile(s.folder.RefereeStopped(), []byte(time.Now().UTC().Format(time.RFC3339Nano)), 0o644)
		},
	}
}

func newRefereeVerdict(s *session) *cobra.Command {
	var output string
	verdict := &cobra.Command{
		Use: "verdict", Short: "Say how long service was away, and which acknowledged writes are gone", Example: "  lab referee verdict\n  lab referee verdict --output json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := s.customerURL()
			if err != nil {
				return err
			}
			all, err := referee.Acknowledgements(s.folder.Acknowledgements())
			if err != nil {
				return err
			}
			judged := referee.Judge(all, s.until())
			if judged.Lost, err = referee.LookUp(cmd.Context(), url, all); err != nil {
				return err
			}
			judged.LostCount = len(judged.Lost)
			if output == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(judged)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), judged)
			return err
		},
	}
	verdict.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return verdict
}

// until is when the referee stopped, or now while it watches.
func (s *session) until() time.Time {
	if _, running := s.referee().Running(); running {
		return time.Now()
	}
	text, err := os.ReadFile(s.folder.RefereeStopped())
	if err != nil {
		return time.Now()
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Now()
	}
	return at
}

// newRefereeWrite is the background process itself.
func newRefereeWrite(s *session) *cobra.Command {
	r := referee.Referee{}
	write := &cobra.Command{
		Use: "write", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.File = s.folder.Acknowledgements()
			return r.Run(cmd.Context())
		},
	}
	write.Flags().StringVar(&r.URL, "url", "", "where customers reach the backend")
	write.Flags().IntVar(&r.Writers, "writers", 4, "customers at the same time")
	write.Flags().DurationVar(&r.Interval, "interval", 20*time.Millisecond, "between two writes of one customer")
	return write
}
