package command

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/inbox"
)

// newInbox is `lab inbox`: what people were told.
func newInbox(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "inbox", Short: "Show what the channels of people were sent since the lab came up", Example: "  lab inbox", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			messages, err := inbox.Read(s.folder.Inbox())
			if err != nil {
				return err
			}
			for _, message := range messages {
				var said struct{ Event, Level, Summary string }
				if err := json.Unmarshal(message.Body, &said); err != nil {
					said.Summary = string(message.Body)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %-22s %-11s %-2s  %s\n", message.At.Format(time.TimeOnly), message.Channel, said.Event, said.Level, said.Summary)
			}
			return nil
		},
	}
}
