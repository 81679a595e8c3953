package report

import "time"

// The measures of the drawing, in units of its own that the page scales.
const (
	chartWidth  = 960.0
	chartLeft   = 300.0 // where the time axis begins; names stand left of it
	chartRow    = 26.0
	chartTop    = 34.0
	chartMargin = 30.0
)

// chart is the timeline as a drawing: a bar for each step that was begun, a mark for each clock and each decision.
type chart struct {
	Height float64
	Bars   []bar
	Marks  []mark
	Ticks  []tick
	Begin  time.Time
}

type bar struct {
	Name    string
	State   StepState
	X, Y, W float64
	Took    time.Duration
}

type mark struct {
	Name string
	Kind string // clock, decision or deadline
	X    float64
}

type tick struct {
	X     float64
	After time.Duration
}

// chart draws the run. A run that has begun nothing has an empty one.
func (r Report) chart() chart {
	begin, end := r.span()
	if begin.IsZero() || !end.After(begin) {
		return chart{}
	}
	scale := (chartWidth - chartLeft - chartMargin) / end.Sub(begin).Seconds()
	place := func(t time.Time) float64 { return chartLeft + t.Sub(begin).Seconds()*scale }
	drawn := chart{Begin: begin}
	for _, step := range r.Steps {
		if step.Started.IsZero() {
			continue
		}
		finished := step.Finished
		if finished.IsZero() {
			finished = end
		}
		y := chartTop + float64(len(drawn.Bars))*chartRow
		drawn.Bars = append(drawn.Bars, bar{Name: step.Name, State: step.State, X: place(step.Started), Y: y, W: max(2, finished.Sub(step.Started).Seconds()*scale), Took: step.Took()})
	}
	for _, moment := range r.moments() {
		drawn.Marks = append(drawn.Marks, mark{Name: moment.Name, Kind: "clock", X: place(moment.At)})
	}
	for _, decision := range r.Decisions {
		drawn.Marks = append(drawn.Marks, mark{Name: decision.Verb + " " + decision.By, Kind: "decision", X: place(decision.At)})
	}
	if deadline := r.Clocks.Deadline; deadline.After(begin) && !deadline.After(end) {
		drawn.Marks = append(drawn.Marks, mark{Name: "deadline", Kind: "deadline", X: place(deadline)})
	}
	every := tickEvery(end.Sub(begin))
	for after := time.Duration(0); after <= end.Sub(begin); after += every {
		drawn.Ticks = append(drawn.Ticks, tick{X: place(begin.Add(after)), After: after})
	}
	drawn.Height = chartTop + float64(len(drawn.Bars))*chartRow + chartMargin
	return drawn
}

// span is the time that the drawing shows: from the first clock or step to the last that is known.
func (r Report) span() (begin, end time.Time) {
	widen := func(t time.Time) {
		if t.IsZero() {
			return
		}
		if begin.IsZero() || t.Before(begin) {
			begin = t
		}
		if t.After(end) {
			end = t
		}
	}
	for _, moment := range r.moments() {
		widen(moment.At)
	}
	for _, step := range r.Steps {
		widen(step.Started)
		widen(step.Finished)
	}
	for _, entry := range r.Timeline {
		widen(entry.At)
	}
	return begin, end
}

// tickEvery is the round step that gives four to ten ticks.
func tickEvery(length time.Duration) time.Duration {
	for _, every := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour,
	} {
		if length/every <= 8 {
			return every
		}
	}
	return 24 * time.Hour * max(1, length/(8*24*time.Hour))
}
