package notify

import (
	"errors"
	"io/fs"
	"os"
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
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "(secret)")
		}
	}
	return shorten(oneLine(text), saidLimit)
}
