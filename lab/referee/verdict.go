package referee

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// noticeable is the shortest time without an acknowledgement that counts as a gap.
const noticeable = 200 * time.Millisecond

// Verdict is what the customer saw. Its JSON is for tests and benchmarks.
type Verdict struct {
	Acknowledged int     `json:"acknowledged"`
	Failed       int     `json:"failed"` // attempts that a customer saw fail, each repeated until it was acknowledged
	LongestGap   Gap     `json:"longestGap"`
	Gaps         []Gap   `json:"gaps"` // all that a customer would notice
	Lost         []int64 `json:"lost"` // acknowledged, and not there any more
	LostCount    int     `json:"lostCount"`
	Servers      []Span  `json:"servers"` // who acknowledged, in the order of their first one
	Overlap      bool    `json:"overlap"` // two servers acknowledged at the same time: both were primaries
}

// Gap is a time without an acknowledgement. End is zero while it lasts.
type Gap struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"`
	Seconds float64   `json:"seconds"`
}

// Span is when a server acknowledged.
type Span struct {
	Server string    `json:"server"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Count  int       `json:"count"`
}

// Judge looks at the acknowledgements alone. until is when the customer stopped, or now.
func Judge(acknowledged []Acknowledgement, until time.Time) Verdict {
	slices.SortFunc(acknowledged, func(a, b Acknowledgement) int { return a.At.Compare(b.At) })
	verdict := Verdict{Acknowledged: len(acknowledged), Gaps: []Gap{}, Lost: []int64{}}
	for i := range acknowledged {
		verdict.Failed += acknowledged[i].Failed
		if i > 0 {
			verdict.count(acknowledged[i-1].At, acknowledged[i].At)
		}
		verdict.credit(acknowledged[i])
	}
	if len(acknowledged) > 0 {
		verdict.count(acknowledged[len(acknowledged)-1].At, until)
	}
	for i := 1; i < len(verdict.Servers); i++ {
		// An acknowledgement may be under way while the next server answers already, but not begin after that.
		verdict.Overlap = verdict.Overlap || verdict.Servers[i].First.Before(verdict.Servers[i-1].Last)
	}
	return verdict
}

func (v *Verdict) count(start, end time.Time) {
	length := end.Sub(start)
	gap := Gap{Start: start, End: end, Seconds: length.Seconds()}
	if gap.Seconds > v.LongestGap.Seconds {
		v.LongestGap = gap
	}
	if length > noticeable {
		v.Gaps = append(v.Gaps, gap)
	}
}

// credit counts an acknowledgement for its server. It began when the customer sent it: that is when the server was certainly not yet done.
func (v *Verdict) credit(a Acknowledgement) {
	for i := range v.Servers {
		if v.Servers[i].Server == a.Server {
			v.Servers[i].Count++
			v.Servers[i].Last = slices.MaxFunc([]time.Time{v.Servers[i].Last, a.Began}, time.Time.Compare)
			return
		}
	}
	v.Servers = append(v.Servers, Span{Server: a.Server, First: a.At, Last: a.Began, Count: 1})
}

// Acknowledgements reads the referee's memory. A last line that a kill cut off is left out.
func Acknowledgements(file string) ([]Acknowledgement, error) {
	data, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the referee has seen nothing yet; let it watch with: lab referee start")
	}
	if err != nil {
		return nil, err
	}
	defer data.Close()
	var all []Acknowledgement
	lines := bufio.NewScanner(data)
	for lines.Scan() {
		var a Acknowledgement
		if json.Unmarshal(lines.Bytes(), &a) == nil {
			all = append(all, a)
		}
	}
	return all, lines.Err()
}

const (
	// readWithin bounds one answer with all the numbers, patience how long the application may fail to give it: a backend that
	// customers have not asked since the database moved finds out with its first question.
	readWithin = 10 * time.Second
	patience   = 5 * time.Second
	askEvery   = 200 * time.Millisecond
)

// LookUp reads back through the application which of the acknowledged writes are gone.
func LookUp(ctx context.Context, url string, acknowledged []Acknowledgement) ([]int64, error) {
	lost := []int64{}
	if len(acknowledged) == 0 {
		return lost, nil
	}
	byNumber := func(a, b Acknowledgement) int { return cmp.Compare(a.Number, b.Number) }
	from, to := slices.MinFunc(acknowledged, byNumber).Number, slices.MaxFunc(acknowledged, byNumber).Number
	there, err := readBack(ctx, fmt.Sprintf("%s/api/v1/writes?from=%d&to=%d", url, from, to))
	if err != nil {
		return nil, err
	}
	present := make(map[int64]bool, len(there))
	for _, number := range there {
		present[number] = true
	}
	for _, a := range acknowledged {
		if !present[a.Number] {
			lost = append(lost, a.Number)
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// readBack asks for the numbers until it is answered or patience ends.
func readBack(ctx context.Context, url string) ([]int64, error) {
	client := &http.Client{Timeout: readWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; {
		there, err := readOnce(ctx, client, url)
		if err == nil || time.Now().After(deadline) {
			return there, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-ticker.C:
		}
	}
}

func readOnce(ctx context.Context, client *http.Client, url string) ([]int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the writes back: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the writes back: the application answers %s; is service back?", response.Status)
	}
	var there []int64
	if err := json.NewDecoder(response.Body).Decode(&there); err != nil {
		return nil, fmt.Errorf("read the writes back: %w", err)
	}
	return there, nil
}

// String is the verdict for a person.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The referee's verdict\n  acknowledged writes: %d\n", v.Acknowledged)
	fmt.Fprintf(&b, "  longest time without service: %.3f s, from %s\n", v.LongestGap.Seconds, v.LongestGap.Start.UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(&b, "  gaps of more than %s: %d\n", noticeable, len(v.Gaps))
	fmt.Fprintf(&b, "  attempts that failed and were repeated: %d\n", v.Failed)
	fmt.Fprintf(&b, "  acknowledged writes that are gone: %d\n", v.LostCount)
	for _, server := range v.Servers {
		fmt.Fprintf(&b, "  %s acknowledged %d, from %s to %s\n", server.Server, server.Count, server.First.UTC().Format(time.RFC3339Nano), server.Last.UTC().Format(time.RFC3339Nano))
	}
	if v.Overlap {
		b.WriteString("  TWO SERVERS ACKNOWLEDGED AT THE SAME TIME\n")
	}
	return b.String()
}
