package estate

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestSynthetic_SpreadsServicesOverTheTiersAndFindsThemAgainByName(t *testing.T) {
	tiers := map[int]int{}
	ports := map[int]bool{}
	for _, service := range Synthetic(60) {
		tiers[service.Tier]++
		ports[service.NodePort] = true
		found, known := SyntheticService(service.Name)
		require.True(t, known)
		require.Equal(t, service, found)
	}
	require.Equal(t, map[int]int{1: 15, 2: 15, 3: 15, 4: 15}, tiers)
	require.Len(t, ports, 60)
	for _, name := range []string{"shodo-backend", "tier9-01", "tier1-1", "tier1-01x", "tier0-03", "tier1-401"} {
		_, known := SyntheticService(name)
		require.False(t, known, name)
	}
}

func TestPlanEntries_EachNeedsOneOfTheTierBefore(t *testing.T) {
	added, err := addTo("plan: shodo\nservices:\n  - name: last\n    tier: 1\nrunbooks: {}\n", planEntries(Synthetic(8)))
	require.NoError(t, err)
	var plan struct {
		Services []struct {
			Name    string
			Tier    int
			Healthy string
			Needs   []string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(added), &plan))
	require.Len(t, plan.Services, 9)
	require.Equal(t, "last", plan.Services[8].Name)
	require.Equal(t, `"status":"ok"`, plan.Services[0].Healthy)
	needs := map[string][]string{}
	for _, service := range plan.Services {
		needs[service.Name] = service.Needs
	}
	require.Nil(t, needs["tier1-02"])
	require.Equal(t, []string{"tier1-02"}, needs["tier2-04"])
	require.Equal(t, []string{"tier3-05"}, needs["tier4-07"])
}

func TestSiteEntries_AreAddedBesideThoseThatAreThere(t *testing.T) {
	added, err := addTo("site: lab\nservices:\n  - {name: last, url: \"http://x\"}\n", siteEntries(Synthetic(4), "http://10.77.0.1:8003"))
	require.NoError(t, err)
	require.Contains(t, added, "services:\n  - {name: tier1-01, url: \"http://10.77.0.1:8003/tier1-01\"}\n")
	require.Contains(t, added, "tier4-04\"}\n  - {name: last")
	_, err = addTo("site: lab\n", "")
	require.ErrorContains(t, err, "no list of services")
}
