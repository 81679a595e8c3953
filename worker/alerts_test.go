package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// ruleFile is a file of rules with every field that Prometheus knows and we use.
type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) ruleFile {
	t.Helper()
	text, err := os.ReadFile("../deployments/prometheus/rules.yaml")
	require.NoError(t, err)
	var file ruleFile
	require.NoError(t, yaml.UnmarshalWithOptions(text, &file, yaml.Strict()))
	return file
}

// dashboard is as much of Grafana's format as can be right or wrong without a Grafana.
type dashboard struct {
	UID    string  `json:"uid"`
	Title  string  `json:"title"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		RefID        string `json:"refId"`
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
	Transformations []struct {
		Options struct {
			RenameByName map[string]string `json:"renameByName"`
		} `json:"options"`
	} `json:"transformations"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../deployments/grafana/fukkyu.json")
	require.NoError(t, err)
	var board dashboard
	require.NoError(t, json.Unmarshal(text, &board))
	return board
}

// catalogue is what can be asked: the labels of each series by its name.
type catalogue map[string]map[string]bool

// catalogued lists the series of metrics as Prometheus stores them, with the labels that it adds to each.
func catalogued(found families) catalogue {
	all := catalogue{}
	for name, family := range found {
		names := labelNames(family)
		names["instance"], names["job"] = true, true
		if family.GetType() != dto.MetricType_HISTOGRAM {
			all[name] = names
			continue
		}
		all[name+"_sum"], all[name+"_count"] = names, names
		buckets := map[string]bool{"le": true}
		for label := range names {
			buckets[label] = true
		}
		all[name+"_bucket"] = buckets
	}
	return all
}

// labelsOf checks every series and label of a query against the catalogue, and returns the labels of its result.
func (c catalogue) labelsOf(t *testing.T, query string) map[string]bool {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m").Replace(query)
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err, query)
	return c.check(t, expression, query)
}

func (c catalogue) check(t *testing.T, node parser.Node, query string) map[string]bool {
	t.Helper()
	if selector, ok := node.(*parser.VectorSelector); ok {
		known, served := c[selector.Name]
		require.True(t, served, "no worker serves %s, which is asked for by %s", selector.Name, query)
		for _, matcher := range selector.LabelMatchers {
			require.True(t, matcher.Name == model.MetricNameLabel || known[matcher.Name], "%s has no label %s, which is asked for by %s", selector.Name, matcher.Name, query)
		}
		return known
	}
	labels := map[string]bool{}
	for child := range parser.ChildrenIter(node) {
		for label := range c.check(t, child, query) {
			labels[label] = true
		}
	}
	switch node := node.(type) {
	case *parser.AggregateExpr:
		require.False(t, node.Without, "by says what remains: %s", query)
		kept := map[string]bool{}
		for _, label := range node.Grouping {
			require.True(t, labels[label], "there is no label %s to group by in %s", label, query)
			kept[label] = true
		}
		return kept
	case *parser.Call:
		if node.Func.Name == "histogram_quantile" {
			delete(labels, "le")
		}
	}
	return labels
}

// words are the values that labels of ours can have.
var words = map[string][]string{
	"mode": {string(runbook.Live), string(runbook.Rehearse), string(runbook.Drill)},
	"phase": {
		runbook.PhaseStarting, runbook.PhaseExecuting, runbook.PhaseWaiting, runbook.PhaseAsking, runbook.PhaseStanding,
		runbook.PhasePaused, runbook.PhaseUndoing, runbook.PhaseFinished,
	},
	"outcome": {
		string(report.Recovered), string(report.RecoveredLate), string(report.RecoveredUnproven), string(report.RolledBack),
		string(report.Incomplete), string(report.Rehearsed), string(outcomeTerminated), string(outcomeFailed), string(outcomeUnreadable),
	},
}

// checkValues checks that a query compares labels of ours with values that they can have.
func checkValues(t *testing.T, query string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(mode|phase|outcome)=~?"([^"]*)"`).FindAllStringSubmatch(query, -1) {
		for _, value := range strings.Split(match[2], "|") {
			require.Contains(t, words[match[1]], value, query)
		}
	}
}

var (
	ruleLabel   = regexp.MustCompile(`\$labels\.(\w+)`)
	legendLabel = regexp.MustCompile(`{{\s*(\w+)\s*}}`)
)

func TestRules_EveryQuery_AsksForWhatWorkersServe(t *testing.T) {
	known := catalogued(served(t))
	file := rules(t)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Record != "" { // before it is checked: it may carry itself on
				known[rule.Record] = map[string]bool{"scenario": true, "instance": true, "job": true}
				known[rule.Record] = known.labelsOf(t, rule.Expr)
			}
		}
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			labels := known.labelsOf(t, rule.Expr)
			checkValues(t, rule.Expr)
			for _, annotation := range rule.Annotations {
				for _, match := range ruleLabel.FindAllStringSubmatch(annotation, -1) {
					require.True(t, labels[match[1]], "%s: its result has no label %s", rule.Alert, match[1])
				}
			}
		}
	}
}

func TestDashboard_EveryQuery_AsksForWhatWorkersServe(t *testing.T) {
	known := catalogued(served(t))
	known["fukkyu:last_success_timestamp_seconds:max"] = map[string]bool{"scenario": true}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			labels := known.labelsOf(t, target.Expr)
			checkValues(t, target.Expr)
			for _, match := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				require.True(t, labels[match[1]], "%s: its result has no label %s", panel.Title, match[1])
			}
			for _, transformation := range panel.Transformations {
				for label := range transformation.Options.RenameByName {
					require.True(t, labels[label], "%s: its result has no column %s", panel.Title, label)
				}
			}
		}
	}
}

// A check that nothing can fail proves nothing.
func TestCatalogue_AQueryThatNobodyCanAnswer_IsFound(t *testing.T) {
	known := catalogue{"up": {"job": true}, "took_bucket": {"le": true, "step": true}}
	for query, answered := range map[string]bool{
		`sum by (job) (up{job="x"})`:                                   true,
		`histogram_quantile(0.9, sum by (le) (rate(took_bucket[1m])))`: true,
		`down`:                        false,
		`sum(rate(took[1m]))`:         false,
		`up{step="x"}`:                false,
		`sum by (step) (up)`:          false,
		`sum by (job) (sum(up))`:      false,
		`up and on() absent(missing)`: false,
	} {
		judged := &testing.T{}
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			known.labelsOf(judged, query)
		}()
		<-finished
		require.Equal(t, answered, !judged.Failed(), query)
	}
}

func TestRules_EveryAlert_SaysHowUrgentItIsAndWhatToDo(t *testing.T) {
	names := map[string]bool{}
	for _, group := range rules(t).Groups {
		require.NotEmpty(t, group.Name)
		for _, rule := range group.Rules {
			require.NotEqual(t, rule.Alert == "", rule.Record == "", "a rule alerts or records: %v", rule)
			require.False(t, names[rule.Alert+rule.Record], "%s is there twice", rule.Alert+rule.Record)
			names[rule.Alert+rule.Record] = true
			if rule.Alert == "" {
				continue
			}
			require.Contains(t, []string{"page", "ticket"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
			if rule.For != "" {
				_, err := model.ParseDuration(rule.For)
				require.NoError(t, err, rule.Alert)
			}
		}
	}
}

func TestDashboard_ItsPanels_FillTheGridWithoutOverlapping(t *testing.T) {
	board := readDashboard(t)
	require.NotEmpty(t, board.UID)
	require.NotEmpty(t, board.Title)
	covered := map[[2]int]string{}
	var ids []int
	bottom := 0
	for _, panel := range board.Panels {
		at := panel.GridPos
		require.NotContains(t, ids, panel.ID, panel.Title)
		ids = append(ids, panel.ID)
		require.NotEmpty(t, panel.Title)
		require.Positive(t, at.W, panel.Title)
		require.Positive(t, at.H, panel.Title)
		require.GreaterOrEqual(t, at.X, 0, panel.Title)
		require.LessOrEqual(t, at.X+at.W, 24, panel.Title)
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				require.Empty(t, covered[[2]int{x, y}], "%s lies on another panel", panel.Title)
				covered[[2]int{x, y}] = panel.Title
			}
		}
		bottom = max(bottom, at.Y+at.H)
		if panel.Type != "row" {
			require.NotEmpty(t, panel.Description, panel.Title)
			require.NotEmpty(t, panel.Targets, panel.Title)
		}
	}
	require.Len(t, covered, 24*bottom, "there are no holes")
	require.True(t, slices.IsSorted(ids))
}
