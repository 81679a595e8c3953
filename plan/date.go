package plan

import (
	"fmt"
	"strconv"
	"time"
)

// Date is a day, or a month of which nobody wrote down the day. It is written 2024-01-31 or 2024-01.
type Date struct {
	Year  int
	Month time.Month
	Day   int // 0 when only the month is known
}

const (
	dayForm   = "2006-01-02"
	monthForm = "2006-01"
)

// IsZero says that no date was given.
func (d Date) IsZero() bool { return d == Date{} }

// String is the date as precisely as it is known.
func (d Date) String() string {
	switch {
	case d.IsZero():
		return ""
	case d.Day == 0:
		return fmt.Sprintf("%04d-%02d", d.Year, d.Month)
	default:
		return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
	}
}

// Over says whether the whole of the date lies before a moment, by the calendar of the moment's own time zone: a month is
// over after its last day.
func (d Date) Over(now time.Time) bool {
	after := time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, now.Location())
	if d.Day == 0 {
		after = time.Date(d.Year, d.Month+1, 1, 0, 0, 0, 0, now.Location())
	}
	return !now.Before(after)
}

// before says whether the whole of the date lies before the other one; false where an unknown day leaves it open.
func (d Date) before(other Date) bool {
	return d.Over(time.Date(other.Year, other.Month, max(other.Day, 1), 0, 0, 0, 0, time.UTC))
}

// MarshalText writes the date as a plan has it.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 2024-01-31 or 2024-01; an empty text is no date.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	if day, err := time.Parse(dayForm, string(text)); err == nil {
		*d = Date{Year: day.Year(), Month: day.Month(), Day: day.Day()}
		return nil
	}
	month, err := time.Parse(monthForm, string(text))
	if err != nil {
		return fmt.Errorf("%s is no date; write for example 2024-01-31, or 2024-01 when the day is not known", strconv.Quote(string(text)))
	}
	*d = Date{Year: month.Year(), Month: month.Month()}
	return nil
}

// How often something comes round.
const (
	Monthly    = "monthly"
	Quarterly  = "quarterly"
	HalfYearly = "half-yearly"
	Yearly     = "yearly"
)

func cycles() []string { return []string{Monthly, Quarterly, HalfYearly, Yearly} }
