package plan_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

var yamlExample = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestDocumentation_ItsExamplesTogether_AreAPlan(t *testing.T) {
	text, err := os.ReadFile("../docs/plan.md")
	require.NoError(t, err)
	var examples []string
	for _, found := range yamlExample.FindAllStringSubmatch(string(text), -1) {
		examples = append(examples, found[1])
	}
	whole := strings.Join(examples, "")
	_, err = plan.Parse("docs/plan.md", []byte(whole))
	require.NoError(t, err)
	require.NoError(t, held(t, whole))
}
