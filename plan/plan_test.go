package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares text with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func shodo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../plans/shodo.yaml")
	require.NoError(t, err)
	return string(text)
}

func TestParse_TheReferencePlan_IsValidAndHashed(t *testing.T) {
	pinned, err := plan.Parse("shodo.yaml", []byte(shodo(t)))
	require.NoError(t, err)
	require.Equal(t, 30*time.Minute, pinned.Plan.Objectives.RTO)
	require.Equal(t, []string{"shodo"}, pinned.Plan.DatabaseNames())
	again, err := plan.Parse("shodo.yaml", []byte(shodo(t)+"# a comment\n"))
	require.NoError(t, err)
	require.NotEqual(t, pinned.Hash, again.Hash, "the hash is of the bytes that were signed off")
}

// Everything that is wrong is said at once, each with its place: whoever mends a plan should not have to ask again and again.
func TestParse_AFileWithEverythingWrong_SaysAllOfItWithItsPlaces(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.yaml")
	require.NoError(t, err)
	_, err = plan.Parse("wrong.yaml", text)
	require.Error(t, err)
	golden(t, "wrong.txt", err.Error()+"\n")
}

func TestParse_OneThingWrong_IsNamedWithLineColumnAndPath(t *testing.T) {
	cases := map[string]struct{ replace, with, says string }{
		"an unknown field":           {"    startGate: true", "    startGaet: true", ":5: databases[0].startGaet: unknown field"},
		"a doubled field":            {"namespace: shodo\n", "namespace: shodo\nnamespace: other\n", `:1: not YAML: mapping key "namespace" already defined`},
		"a duration without unit":    {"rto: 30m", "rto: 30", `objectives.rto: "30" is no duration`},
		"a replica without a gate":   {"    role: redis-role\n", "", "redis[0].role: missing: without it nothing keeps an old master from coming back"},
		"an unknown region":          {"region: ap-northeast-1", "region: mars", "valid are ap-northeast-1, us-west-2"},
		"an unknown service":         {"service: shodo-backend", "service: nobody", "valid are shodo-backend, shodo-frontend, shodo-ai-server"},
		"an unknown role":            {"from: [on-call, cto, vp-engineering]", "from: [king]", "valid are on-call, development-lead, cto, vp-engineering, ceo, security-officer"},
		"an approval nobody reaches": {"needed: 1", "needed: 9", "9 people are needed, and only 4"},
		"an unknown default":         {"then: hold", "then: perhaps", "valid are proceed, hold, abort"},
		"a canary without a number":  {"read: /api/v1/writes/{number}", "read: /api/v1/writes", "{number} is missing"},
		"a person twice":             {"name: ken", "name: aiko", `"aiko" is there twice`},
		"nobody said to ask":         {"      needed: 1\n", "", "approval.needed: missing: how many must agree"},
		"no word about a gate":       {"    startGate: true\n", "", "databases[0].startGate: missing: true or false"},
		"the primary as a replica":   {"replicas: [postgres-replica]", "replicas: [postgres-primary]", `replicas[0]: "postgres-primary" is there twice`},
		"a region twice":             {"regions: [ap-northeast-1, us-west-2]", "regions: [ap-northeast-1, ap-northeast-1]", `regions[1]: "ap-northeast-1" is there twice`},
		"an alias":                   {"name: yuki", "name: *yuki", "an anchor or alias, which is not read here"},
		"no replica":                 {"replicas: [postgres-replica]", "replicas: []", "nothing to fail over to"},
		"a tier of its own":          {"tier: 1", "tier: 10", "10 is no tier"},
		"not YAML":                   {"people:", "people: [", "not YAML"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			_, err := plan.Parse("shodo.yaml", []byte(strings.Replace(shodo(t), c.replace, c.with, 1)))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestParse_AnEmptyFile_IsNoPlan(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		_, err := plan.Parse("empty.yaml", []byte(text))
		require.Error(t, err, text)
	}
}

const site = `site: lab
plan: shodo
regions:
  - name: ap-northeast-1
    kubernetes: {kubeconfig: worker.kubeconfig}
    power: {url: "http://10.0.0.1:8400", username: operator, passwordFile: power-password, systems: {node-a1: node-a1}}
databases:
  - {name: shodo, secret: postgres-fukkyu}
services:
  - {name: shodo-backend, url: "http://10.0.0.1:8000"}
  - {name: shodo-frontend, url: "http://10.0.0.1:8001"}
  - {name: shodo-ai-server, url: "http://10.0.0.1:8002"}
dependencies:
  - {name: object-store, url: "http://10.0.0.1:8402/health"}
`

func TestParseSite_IsHeldAgainstThePlan(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	_, err = plan.ParseSite("site.yaml", []byte(site), pinned.Plan)
	require.NoError(t, err)
	cases := map[string]struct{ replace, with, says string }{
		"another plan":         {"plan: shodo", "plan: other", "the site is for another plan"},
		"an unknown database":  {"name: shodo,", "name: shoda,", "valid are shodo"},
		"a missing service":    {`  - {name: shodo-backend, url: "http://10.0.0.1:8000"}` + "\n", "", "service shodo-backend of the plan is missing"},
		"no user for power":    {"username: operator, ", "", "regions[0].power.username: missing"},
		"no password file":     {"passwordFile: power-password, ", "", "regions[0].power.passwordFile: missing"},
		"a node of no system":  {"systems: {node-a1: node-a1}", "systems: {node-a1: ''}", "regions[0].power.systems.node-a1: missing"},
		"a missing dependency": {`dependencies:` + "\n" + `  - {name: object-store, url: "http://10.0.0.1:8402/health"}` + "\n", "", "dependency object-store of the plan is missing"},
		"no URL":               {`url: "http://10.0.0.1:8000"`, "url: backend", "is no URL"},
		"no region":            {"name: ap-northeast-1", "name: us-west-2", "region ap-northeast-1 of database shodo is missing"},
		"an unknown key":       {"username: operator", "user: operator", "regions[0].power.user: unknown field"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, site, c.replace)
			_, err := plan.ParseSite("site.yaml", []byte(strings.Replace(site, c.replace, c.with, 1)), pinned.Plan)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestLoadSite_RelativePaths_StartAtItsOwnFolder(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "site.yaml"), []byte(site), 0o600))
	found, err := plan.LoadSite(filepath.Join(folder, "site.yaml"), pinned.Plan)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "worker.kubeconfig"), found.Regions[0].Kubernetes.Kubeconfig)
	require.Equal(t, filepath.Join(folder, "power-password"), found.Regions[0].Power.PasswordFile)
}
