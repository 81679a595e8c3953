package runbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// Mode says whether a run may change anything.
type Mode string

// The modes.
const (
	Live     Mode = "live"
	Rehearse Mode = "rehearse" // every guard, no change
	Drill    Mode = "drill"    // everything is done for real, and nobody is paged
)

// Modes lists them.
func Modes() []Mode { return []Mode{Live, Rehearse, Drill} }

func modeNames() []string {
	var names []string
	for _, mode := range Modes() {
		names = append(names, string(mode))
	}
	return names
}

// Request is what every scenario is started with. A scenario embeds it in its own request.
type Request struct {
	Plan   string `json:"plan,omitempty"` // the plan's name, when the sender wants to be sure of it
	Mode   Mode   `json:"mode,omitempty"` // empty means live
	By     string `json:"by"`             // who asks
	Reason string `json:"reason,omitempty"`
	// ImpactStarted is since when users have been without service, when somebody knows. The RTO runs from there.
	ImpactStarted time.Time `json:"impactStarted,omitzero"`
	// Detected is when the fault was first seen, when that was before the run saw it itself.
	Detected time.Time `json:"detected,omitzero"`
	// Overrides lift guards by name.
	Overrides []Override `json:"overrides,omitempty"`
	// Continue takes up a recovery that stopped after its point of no return.
	Continue bool `json:"continue,omitempty"`
	// DecidedBy is the run that began this one after its own decision. Only another run can say so.
	DecidedBy string `json:"decidedBy,omitempty"`
}

// Override lifts one guard, for a reason that stands in the report.
type Override struct {
	Guard  string `json:"guard"`
	Reason string `json:"reason"`
}

// RefusedType is the Temporal error type of a request that was refused: nothing was changed.
const RefusedType = "Refused"

// Refuse is the error with which a workflow refuses its request.
func Refuse(format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), RefusedType, nil)
}

// IsRefused says whether err, however wrapped, is a refusal.
func IsRefused(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == RefusedType
}

// Decode reads the single JSON argument of a workflow strictly into request. Anything else than one JSON object with known
// fields is refused, with example to start from: a person in the Temporal UI can send anything, or nothing at all.
func Decode(input converter.RawValue, request, example any) error {
	if err := decodeStrict(input, request); err != nil {
		return Refuse("%s; send one JSON object, for example %s", err, marshal(example))
	}
	return nil
}

// validate checks what every request has in common. guards are the overrides that the scenario knows.
func (r Request) validate(guards []string) error {
	var wrong []string
	if strings.TrimSpace(r.By) == "" {
		wrong = append(wrong, "by is missing: who asks for this?")
	}
	if !slices.Contains(Modes(), r.Mode) {
		wrong = append(wrong, fmt.Sprintf("mode %q is unknown: %s", r.Mode, strings.Join(modeNames(), ", ")))
	}
	for _, override := range r.Overrides {
		if !slices.Contains(guards, override.Guard) {
			wrong = append(wrong, fmt.Sprintf("override %q is unknown: %s", override.Guard, strings.Join(guards, ", ")))
		}
		if strings.TrimSpace(override.Reason) == "" {
			wrong = append(wrong, fmt.Sprintf("override %q has no reason", override.Guard))
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// validateClocks checks the moments that somebody claims to know: none of them can lie ahead, and nothing is seen before it is there.
func (r Request) validateClocks(now time.Time) error {
	for _, clock := range []struct {
		name string
		at   time.Time
	}{{"impactStarted", r.ImpactStarted}, {"detected", r.Detected}} {
		if clock.at.After(now) {
			return fmt.Errorf("%s %s lies in the future", clock.name, clock.at.Format(time.RFC3339))
		}
	}
	if !r.Detected.IsZero() && r.Detected.Before(r.ImpactStarted) {
		return fmt.Errorf("detected %s lies before impactStarted %s", r.Detected.Format(time.RFC3339), r.ImpactStarted.Format(time.RFC3339))
	}
	return nil
}

func decodeStrict(input converter.RawValue, into any) error {
	payload := input.Payload()
	if payload == nil || len(bytes.TrimSpace(payload.GetData())) == 0 {
		return errors.New("the input is empty")
	}
	decoder := json.NewDecoder(bytes.NewReader(payload.GetData()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the input cannot be read: %w", plainer(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the input cannot be read: something follows the JSON object")
	}
	return nil
}

// plainer says in words of the message what encoding/json says in words of Go.
func plainer(err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if mismatch.Field == "" {
			return fmt.Errorf("it is a JSON %s, not an object", mismatch.Value)
		}
		return fmt.Errorf("field %s: a JSON %s does not fit", mismatch.Field, mismatch.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func marshal(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
