package plan_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

// schemaFile is the JSON Schema of a plan, for editors. It is generated here, so that the product carries no generator.
const schemaFile = "../plans/plan.schema.json"

// How values that are more than text are written. The reader in decode.go takes the same.
const (
	durationForm = `-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+|[0-9]+d`
	dateForm     = `[0-9]{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?`
	shareForm    = `[0-9]+(\.[0-9]{1,3})?%`
)

func TestSchema_IsThatOfTheTypes(t *testing.T) {
	got := generate(t)
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, got, 0o644))
	}
	committed, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	require.Equal(t, string(committed), string(got), "plans/plan.schema.json is stale; write it anew: go generate ./plan")
}

// generate makes the schema out of the types, their comments and their tags.
func generate(t *testing.T) []byte {
	t.Helper()
	reflector := generator.Reflector{Anonymous: true, ExpandedStruct: true, FieldNameTag: "yaml", Lookup: reference}
	require.NoError(t, reflector.AddGoComments("github.com/shodo-ecosystem/fukkyu/plan", ".", generator.WithFullComment()))
	for name, comment := range reflector.CommentMap {
		reflector.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
	}
	schema := reflector.Reflect(plan.Plan{})
	schema.Title = "Disaster-recovery plan of Fukkyu"
	for written, form := range forms() {
		schema.Definitions[written.Name()] = form
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	require.NoError(t, err)
	return append(text, '\n')
}

// forms are the schemas of the types that have a form of their own in a file.
func forms() map[reflect.Type]*generator.Schema {
	return map[reflect.Type]*generator.Schema{
		reflect.TypeFor[time.Duration]():     form(durationForm, "a duration with its unit, as in 90s, 30m, 1h30m or 30d", "30m"),
		reflect.TypeFor[plan.RecoveryTime](): form("immediate|"+durationForm, "immediate, or a duration with its unit", "10m", "immediate"),
		reflect.TypeFor[plan.Percent]():      form(shareForm, "a share, with at most three decimals", "99.95%"),
		reflect.TypeFor[plan.Date]():         form("|"+dateForm, "a day, or a month when the day is not known", "2024-01-31", "2024-01"),
		reflect.TypeFor[plan.Text]():         bilingual(),
	}
}

// reference points to the form of a type that has one.
func reference(t reflect.Type) generator.ID {
	if _, found := forms()[t]; !found {
		return generator.EmptyID
	}
	return generator.ID("#/$defs/" + t.Name())
}

func form(pattern, description string, examples ...any) *generator.Schema {
	return &generator.Schema{Type: "string", Pattern: "^(" + pattern + ")$", Description: description, Examples: examples}
}

// bilingual is a text for every language, or one for each.
func bilingual() *generator.Schema {
	languages := generator.NewProperties()
	languages.Set("en", &generator.Schema{Type: "string", Description: "in English"})
	languages.Set("ja", &generator.Schema{Type: "string", Description: "in Japanese"})
	one := uint64(1)
	return &generator.Schema{Description: "one text for every language, or one for each", OneOf: []*generator.Schema{
		{Type: "string"},
		{Type: "object", Properties: languages, AdditionalProperties: generator.FalseSchema, MinProperties: &one},
	}}
}

// held validates a plan by the committed schema, as an editor does.
func held(t *testing.T, text string) error {
	t.Helper()
	file, err := os.Open(schemaFile)
	require.NoError(t, err)
	defer file.Close()
	document, err := validator.UnmarshalJSON(file)
	require.NoError(t, err)
	compiler := validator.NewCompiler()
	require.NoError(t, compiler.AddResource("plan.schema.json", document))
	schema, err := compiler.Compile("plan.schema.json")
	require.NoError(t, err)
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	value, err := validator.UnmarshalJSON(strings.NewReader(string(asJSON)))
	require.NoError(t, err)
	return schema.Validate(value)
}

func TestSchema_TheReferencePlan_IsValidAndSaysWhichSchemaIsItsOwn(t *testing.T) {
	require.True(t, strings.HasPrefix(shodo(t), "# yaml-language-server: $schema=plan.schema.json\n"))
	require.NoError(t, held(t, shodo(t)))
}

// What the schema refuses, the reader refuses too, and the other way round as far as a schema can see.
func TestSchema_OneThingWrong_IsRefusedAsByTheReader(t *testing.T) {
	cases := map[string]struct{ replace, with string }{
		"an unknown field":            {"    startGate: true", "    startGaet: true"},
		"an unknown part":             {"\nnamespace: shodo\n", "\nnamespace: shodo\nweather: fine\n"},
		"a missing field":             {"    region: ap-northeast-1\n", ""},
		"a missing part":              {"\nnamespace: shodo\n", "\n"},
		"a duration without its unit": {"rto: 30m", "rto: 30"},
		"a duration of no unit":       {"rto: 30m", "rto: 30x"},
		"days and hours":              {"retention: 30d", "retention: 30d12h"},
		"a row in words":              {"rto: immediate", "rto: soon"},
		"a share without its sign":    {"availability: 99.95%", `availability: "99.95"`},
		"four decimals":               {"availability: 99.95%", "availability: 99.9501%"},
		"an unknown day":              {"updated: 2024-01 ", "updated: 2024-01-XX "},
		"a thirteenth month":          {"updated: 2024-01 ", "updated: 2024-13 "},
		"a language nobody asked for": {"{en: Service degraded, ja: サービス劣化}", "{fr: dégradé}"},
		"an impact":                   {"impact: large", "impact: terrible"},
		"a cycle":                     {"every: half-yearly", "every: sometimes"},
		"a kind of backup":            {"kind: snapshot", "kind: polaroid"},
		"a time of day":               {`at: "02:00"`, `at: "26:00"`},
		"a tier":                      {"tier: 3", "tier: 10"},
		"a port":                      {"port: 5432", "port: 0"},
		"an answer to silence":        {"then: hold", "then: perhaps"},
		"a durability":                {gated, gated + "    durability: {mode: eventual}\n"},
		"a redirect":                  {gated, gated + "    redirect: {by: rumour}\n"},
		"a list that is none":         {"regions: [ap-northeast-1, us-west-2]", "regions: ap-northeast-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			wrong := strings.Replace(shodo(t), c.replace, c.with, 1)
			_, err := plan.Parse("shodo.yaml", []byte(wrong))
			require.Error(t, err)
			require.Error(t, held(t, wrong))
		})
	}
}

func TestSchema_WhatMayBeLeftOut_IsNotAskedFor(t *testing.T) {
	text := shodo(t)
	for _, part := range []string{"edition", "tiers", "scenarios", "backups", "teams", "contacts", "drills", "postMortem", "tools", "references"} {
		text = without(t, text, part)
	}
	require.NoError(t, held(t, text))
}
