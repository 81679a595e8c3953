package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Percent is a share in thousandths of a percent, a whole number so that workflows compute the same everywhere. It is written
// as in 50% or 99.95%.
type Percent int64

const (
	onePercent = 1000
	whole      = 100 * onePercent
)

// Percents is a share of so many percent.
func Percents(n int64) Percent { return Percent(n) * onePercent }

// Of is the share of a duration.
func (p Percent) Of(d time.Duration) time.Duration {
	return d/whole*time.Duration(p) + d%whole*time.Duration(p)/whole
}

// ShareOf is the share that a part is of a whole that is not 0, counted in milliseconds.
func ShareOf(part, of time.Duration) Percent {
	return Percent(part.Milliseconds() * whole / max(1, of.Milliseconds()))
}

// String is the share as it is written in a plan.
func (p Percent) String() string {
	digits := strconv.FormatInt(int64(p%onePercent), 10)
	fraction := strings.TrimRight(strings.Repeat("0", len("000")-len(digits))+digits, "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return strconv.FormatInt(int64(p/onePercent), 10) + fraction + "%"
}

// MarshalText writes 50 % as 50%.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads 50% or 99.95%. Anything else, a negative share among it, is an error.
func (p *Percent) UnmarshalText(text []byte) error {
	number, isPercent := strings.CutSuffix(string(text), "%")
	integer, fraction, _ := strings.Cut(number, ".")
	whole, err := strconv.ParseUint(integer, 10, 32)
	if !isPercent || err != nil || len(fraction) > len("000") {
		return notPercent(text)
	}
	thousandths, err := strconv.ParseUint((fraction + "000")[:len("000")], 10, 32)
	if err != nil {
		return notPercent(text)
	}
	*p = Percent(whole)*onePercent + Percent(thousandths)
	return nil
}

func notPercent(text []byte) error {
	return fmt.Errorf("%q is no share; write for example 50%% or 99.95%%, with at most three decimals", text)
}
