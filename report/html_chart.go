package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// leastLength keeps what took no time visible, in percent of the axis.
const leastLength = 0.5

// chart is the run as a drawing: what happened, from top to bottom in the order in which it began, on one axis of time.
type chart struct {
	Rows  []row
	Ticks []tick
	// Deadline is where the recovery-time objective is missed, in percent of the axis; Beyond says that this is outside of it.
	Deadline    float64
	HasDeadline bool
	Beyond      bool
	// Failed and Asked say whether there is anything of the kind in the rows.
	Failed, Asked bool

	begin, end time.Time
}

// row is one line of the drawing.
type row struct {
	Kind  string // step, question or clock
	Name  string
	State StepState // of a step
	From  time.Time
	Took  time.Duration
	Open  bool    // goes on at the end of the drawing
	X, W  float64 // percent of the axis
}

// tick is a mark on the axis.
type tick struct {
	X     float64
	Label string
}

// Chart draws the run. It has no rows when nothing is known to have happened at two different times.
func (p page) Chart() chart {
	drawn := chart{}
	drawn.begin, drawn.end = p.span()
	if drawn.begin.IsZero() || !drawn.end.After(drawn.begin) {
		return chart{}
	}
	drawn.placeDeadline(p.Clocks.Deadline)
	drawn.addSteps(p.Steps)
	drawn.addQuestions(p.Report)
	drawn.addClocks(p.Clocks)
	slices.SortStableFunc(drawn.Rows, func(a, b row) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(rank(a), rank(b))) })
	drawn.Failed = slices.ContainsFunc(drawn.Rows, func(r row) bool { return slices.Contains([]StepState{Failed, UndoFails, Standing}, r.State) })
	drawn.Asked = slices.ContainsFunc(drawn.Rows, func(r row) bool { return r.Kind == "question" })
	drawn.Ticks = ticks(drawn.end.Sub(drawn.begin))
	return drawn
}

// rank orders what began at the same moment: the moment itself, then what a person was asked, then the work.
func rank(r row) int { return slices.Index([]string{"clock", "question", "step"}, r.Kind) }

// span is the time from the first to the last moment that the report knows, or to now while the run goes on.
func (p page) span() (begin, end time.Time) {
	widen := func(moments ...time.Time) {
		for _, at := range moments {
			if at.IsZero() {
				continue
			}
			if begin.IsZero() || at.Before(begin) {
				begin = at
			}
			if at.After(end) {
				end = at
			}
		}
	}
	for _, clock := range p.Clocks.Moments() {
		if clock.Name != "deadline" {
			widen(clock.At)
		}
	}
	for _, step := range p.Steps {
		widen(step.Started, step.Finished)
	}
	for _, entry := range p.Timeline {
		widen(entry.At)
	}
	if p.GoesOn() && !begin.IsZero() && p.Now.After(end) {
		end = p.Now
	}
	return begin, end
}

// placeDeadline lengthens the axis for a deadline that is near, and leaves out one that is far: beside it nothing else could be seen.
func (c *chart) placeDeadline(deadline time.Time) {
	if deadline.IsZero() || deadline.Before(c.begin) {
		return
	}
	if deadline.Sub(c.begin) > 2*c.end.Sub(c.begin) {
		c.Beyond = true
		return
	}
	if deadline.After(c.end) {
		c.end = deadline.Add(c.end.Sub(c.begin) / 50) // so that its line does not stand on the edge
	}
	c.HasDeadline, c.Deadline = true, c.place(deadline)
}

// place is where a moment stands on the axis, in percent.
func (c *chart) place(at time.Time) float64 {
	share := 100 * at.Sub(c.begin).Seconds() / c.end.Sub(c.begin).Seconds()
	return min(100, max(0, share))
}

func (c *chart) add(added row, until time.Time) {
	added.X = c.place(added.From)
	added.W = max(leastLength, c.place(until)-added.X)
	added.X = min(added.X, 100-added.W)
	added.Took = until.Sub(added.From)
	c.Rows = append(c.Rows, added)
}

func (c *chart) addSteps(steps []Step) {
	for _, step := range steps {
		if step.Started.IsZero() {
			continue
		}
		until, open := step.Finished, false
		if until.IsZero() {
			until, open = c.end, true
		}
		c.add(row{Kind: "step", Name: step.Name, State: step.State, From: step.Started, Open: open}, until)
	}
}

func (c *chart) addClocks(clocks Clocks) {
	for _, clock := range clocks.Moments() {
		if clock.At.IsZero() || clock.Name == "deadline" {
			continue
		}
		x := c.place(clock.At)
		c.Rows = append(c.Rows, row{Kind: "clock", Name: clock.Name, From: clock.At, X: x})
	}
}

// addQuestions draws how long people were asked. That a question is over is said by the decision that answered it or, when nobody
// did, by the next one of the timeline.
func (c *chart) addQuestions(r Report) {
	for i, entry := range r.Timeline {
		var number int
		if entry.Kind != "question" {
			continue
		}
		if _, err := fmt.Sscanf(entry.Text, "question %d:", &number); err != nil {
			continue
		}
		until := r.answered(number, r.Timeline[i:])
		open := until.IsZero()
		if open {
			until = c.end
		}
		c.add(row{Kind: "question", Name: fmt.Sprint(number), From: entry.At, Open: open}, until)
	}
}

func (r Report) answered(number int, after []Entry) time.Time {
	if r.Question != nil && r.Question.Number == number {
		return time.Time{}
	}
	var last time.Time
	for _, decision := range r.Decisions {
		if decision.Question == number && decision.At.After(last) {
			last = decision.At
		}
	}
	if !last.IsZero() {
		return last
	}
	for _, entry := range after {
		if entry.Kind == "decision" {
			return entry.At
		}
	}
	return time.Time{}
}

// ticks divide a length of time into three to six round parts.
func ticks(length time.Duration) []tick {
	every := tickEvery(length)
	var made []tick
	for after := time.Duration(0); after <= length; after += every {
		made = append(made, tick{X: 100 * after.Seconds() / length.Seconds(), Label: tickLabel(after, length)})
	}
	return made
}

func tickEvery(length time.Duration) time.Duration {
	const most = 6
	for _, unit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		for _, factor := range []time.Duration{1, 2, 5} {
			if length <= most*factor*unit {
				return factor * unit
			}
		}
	}
	for _, every := range []time.Duration{
		10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if length <= most*every {
			return every
		}
	}
	const day = 24 * time.Hour
	return day * ((length + most*day - 1) / (most * day))
}

// tickLabel is short, so that labels stand beside each other on a telephone: seconds, then minutes and seconds, then hours and minutes.
func tickLabel(after, length time.Duration) string {
	switch {
	case after == 0:
		return "0"
	case length < time.Minute:
		return fmt.Sprintf("%g s", after.Seconds())
	case length < time.Hour:
		return fmt.Sprintf("%d:%02d", int(after.Minutes()), int(after.Seconds())%60)
	default:
		return fmt.Sprintf("%d:%02d h", int(after.Hours()), int(after.Minutes())%60)
	}
}
