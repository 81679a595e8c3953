package notify

import (
	"errors"
	"html"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// readSecret reads a secret that the site refers to in a field of a channel. The name of the file stays out of the error: where
// people put the secret itself there, it would be in the history of the run.
func readSecret(channel, field, file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		var said *fs.PathError
		if errors.As(err, &said) {
			err = said.Err
		}
		return "", failure.Permanent(failure.NotFound, "tell %s: the file that %s in the site names cannot be read: %s", channel, field, err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", failure.Permanent(failure.NotFound, "tell %s: the file that %s in the site names is empty", channel, field)
	}
	return secret, nil
}

// saidLimit is how many characters of what the other side says are shown.
const saidLimit = 300

// secrets are what nobody may read in an error.
type secrets []string

// said is what the other side says, in one line of bounded length. It may repeat what it was sent, so secrets are taken out.
func (s secrets) said(text string) string {
	for _, secret := range s {
		for _, written := range spellings(secret) {
			text = strings.ReplaceAll(text, written, "(secret)")
		}
	}
	return shorten(oneLine(text), saidLimit)
}

// spellings are the ways in which an answer may write what it repeats: as it is, in a URL, in HTML, in JSON.
func spellings(secret string) []string {
	if secret == "" {
		return nil
	}
	quoted := strings.Trim(strconv.Quote(secret), `"`)
	return []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), quoted, strings.ReplaceAll(quoted, "/", `\/`)}
}
