package diagnose

import (
	"regexp"
	"slices"
	"strings"
)

const masked = "***"

// What in a text may be a secret, and what is left of it. The value of a key word ends at a quote that it began with, else at the first
// blank or separator.
var secrets = []struct {
	pattern *regexp.Regexp
	left    string
}{
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/]*@`), "${1}" + masked + "@"},
	{regexp.MustCompile(`(?i)((?:authorization|cookie|x-api-key|x-auth-token)\\?["']?\s*[:=]\s*\\?["']?)[^"'\r\n]+`), "${1}" + masked},
	{regexp.MustCompile(`(?i)((?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|session[_-]?id)[a-z0-9_-]*\\?["']?\s*[:=]\s*)(?:\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s"',;&)}\]]+)`), "${1}" + masked},
	{regexp.MustCompile(`(?i)\b((?:bearer|basic|token|password|secret|key)\s+)[a-z0-9+/_=.-]{16,}`), "${1}" + masked},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`), masked}, // a JSON web token
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), masked},                               // an access key of AWS
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----.*`), masked},
}

// hints are in every line that has something to be masked. Looking for them is a hundred times faster than the patterns are.
var hints = []string{"://", "pass", "pwd", "secret", "token", "credential", "key", "authorization", "cookie", "bearer", "basic", "session", "eyj", "akia", "asia"}

// mask replaces what may be a secret in a line.
func mask(line string) string {
	lower := strings.ToLower(line)
	if !slices.ContainsFunc(hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
		return line
	}
	for _, secret := range secrets {
		line = secret.pattern.ReplaceAllString(line, secret.left)
	}
	return line
}
