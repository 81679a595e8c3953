package report

import (
	"strconv"
	"time"
)

// gauge is an objective as a bar: how much of the target was used, on a scale that holds both.
type gauge struct {
	Name   string // RTO or RPO
	Figure string // what was measured, or that nothing was
	Target string
	Used   string  // in percent of the target, empty when nothing was measured
	How    string  // how it was measured, or why not
	Fill   float64 // percent of the bar
	Mark   float64 // where the target stands, in percent of the bar
	Known  bool
	Missed bool
	Runs   bool // the time is still running
}

// Gauges are the two objectives.
func (p page) Gauges() []gauge {
	return []gauge{p.runningRTO(p.gauge("RTO", p.RTO)), p.gauge("RPO", p.RPO)}
}

func (p page) gauge(name string, measure Measure) gauge {
	drawn := gauge{Name: name, How: measure.How}
	if measure.Target > 0 {
		drawn.Target = p.Duration(measure.Target)
	}
	if measure.Measured == nil {
		return drawn
	}
	return p.fill(drawn, *measure.Measured, measure.Target)
}

// runningRTO shows the time that is running where none is measured yet.
func (p page) runningRTO(drawn gauge) gauge {
	if drawn.Known || !p.GoesOn() || p.Clocks.Deadline.IsZero() || p.RTO.Target <= 0 {
		return drawn
	}
	drawn = p.fill(drawn, max(0, p.Now.Sub(p.Clocks.Deadline.Add(-p.RTO.Target))), p.RTO.Target)
	drawn.Runs = true
	return drawn
}

func (p page) fill(drawn gauge, measured, target time.Duration) gauge {
	drawn.Known, drawn.Figure = true, p.Duration(measured)
	if target <= 0 {
		return drawn
	}
	scale := max(target, measured).Seconds()
	drawn.Fill, drawn.Mark = max(leastLength, 100*measured.Seconds()/scale), 100*target.Seconds()/scale
	drawn.Missed = measured > target
	drawn.Used = percent(100 * measured.Seconds() / target.Seconds())
	return drawn
}

// percent has a decimal only where it says something.
func percent(share float64) string {
	if share > 0 && share < 0.1 {
		return "< 0.1 %"
	}
	decimals := 0
	if share < 10 {
		decimals = 1
	}
	return strconv.FormatFloat(share, 'f', decimals, 64) + " %"
}
