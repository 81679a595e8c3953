package pgbouncer

import (
	"fmt"
	"regexp"
	"strings"
)

// hostPart is the host in the connection string of a database.
var hostPart = regexp.MustCompile(`(^|\s)host\s*=\s*('(?:[^']|'')*'|\S+)`)

// withHost replaces the host of one entry of [databases] and leaves everything else as it was. The error says what is missing.
func withHost(ini, name, host string) (string, error) {
	lines := strings.SplitAfter(ini, "\n")
	section := ""
	for i, line := range lines {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "[") {
			section = strings.Trim(text, "[]")
			continue
		}
		key, value, isEntry := strings.Cut(line, "=")
		if section != "databases" || !isEntry || strings.Trim(strings.TrimSpace(key), `"`) != name {
			continue
		}
		if !hostPart.MatchString(value) {
			return "", fmt.Errorf("database %s has no host in it", name)
		}
		lines[i] = key + "=" + hostPart.ReplaceAllString(value, "${1}host="+host)
		return strings.Join(lines, ""), nil
	}
	return "", fmt.Errorf("it has no entry %s in its section [databases]", name)
}

// setting is one of [pgbouncer], as PgBouncer reads it: the last one counts.
func setting(ini, name, otherwise string) string {
	section, found := "", otherwise
	for line := range strings.Lines(ini) {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "[") {
			section = strings.Trim(text, "[]")
			continue
		}
		key, value, isSetting := strings.Cut(text, "=")
		if section == "pgbouncer" && isSetting && strings.TrimSpace(key) == name {
			found = strings.TrimSpace(value)
		}
	}
	return found
}
