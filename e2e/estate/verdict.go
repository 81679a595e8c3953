package estate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Verdict is what the lab's referee saw, as far as it is used here.
type Verdict struct {
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"` // attempts that a customer saw fail, each repeated until it was acknowledged
	LongestGap   struct {
		Start   time.Time `json:"start"`
		End     time.Time `json:"end"`
		Seconds float64   `json:"seconds"`
	} `json:"longestGap"`
	Lost      []int64 `json:"lost"` // numbers of acknowledged writes that are gone
	LostCount int     `json:"lostCount"`
	Overlap   bool    `json:"overlap"`
}

// Verdict asks the referee.
func (e Estate) Verdict(ctx context.Context) (Verdict, error) {
	var verdict Verdict
	text, err := e.Lab(ctx, "referee", "verdict", "--output", "json")
	if err != nil {
		return verdict, err
	}
	if err := json.Unmarshal([]byte(text), &verdict); err != nil {
		return verdict, fmt.Errorf("read the referee's verdict: %w", err)
	}
	return verdict, nil
}
