package diagnose

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
)

// look is one diagnosis under way.
type look struct {
	activities *Activities
	client     kubernetes.Interface
	plan       plan.Plan
	region     string
	glance     bool
	logs       []podLog

	mutex sync.Mutex // of what any asker may add to: Unanswered and LeftOut
	diagnosis.Diagnosis
}

// answer is what a question brought.
type answer[T any] struct {
	value T
	err   error
}

// ask puts one question with a timeout of its own. Whoever is asked may hang for ever: the question is then left behind, and only its
// silence is noted. ok says that there was an answer.
func ask[T any](ctx context.Context, l *look, asked string, timeout time.Duration, question func(context.Context) (T, error)) (T, bool) {
	began := time.Now()
	got, err := bounded(ctx, timeout, question)
	if err == nil {
		return got, true
	}
	l.note(unanswered(asked, err, time.Since(began)))
	return got, false
}

// unanswered is a question that brought an error instead of an answer.
func unanswered(asked string, err error, took time.Duration) diagnosis.Probe {
	said, needs := explain(err)
	if isSilence(err) {
		said = fmt.Sprintf("no answer within %s", took.Round(100*time.Millisecond))
	}
	return diagnosis.Probe{Asked: asked, Said: said, Needs: needs, Took: took}
}

// isSilence says that nobody answered at all.
func isSilence(err error) bool {
	return errors.Is(err, errSilent) || errors.Is(err, context.DeadlineExceeded)
}

var errSilent = errors.New("no answer")

// bounded returns when the question is answered, or when its time is up, whatever the question itself does.
func bounded[T any](ctx context.Context, timeout time.Duration, question func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	answers := make(chan answer[T], 1)
	go func() {
		defer cancel()
		value, err := question(ctx)
		answers <- answer[T]{value: value, err: err}
	}()
	var got answer[T]
	select {
	case got = <-answers:
	case <-ctx.Done():
		select { // an answer that came at the same moment counts
		case got = <-answers:
		default:
			got.err = errSilent
		}
	}
	if got.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		got.err = errSilent // in whatever words the question says that its time was up
	}
	return got.value, got.err
}

func (l *look) note(probe diagnosis.Probe) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, known := range l.Unanswered {
		if probe.Needs != "" && known.Needs == probe.Needs {
			return // one missing permission is one finding, however often it was missed
		}
	}
	l.Unanswered = append(l.Unanswered, probe)
}

func (l *look) leave(what string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.LeftOut = append(l.LeftOut, what)
}

// denied is how an API server says which permission is missing.
var denied = regexp.MustCompile(`cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)

// explain is an error in few words, and the permission that is missing where that is the reason.
func explain(err error) (said, needs string) {
	said = brief(err.Error())
	match := denied.FindStringSubmatch(err.Error())
	if match == nil {
		if apierrors.IsForbidden(err) {
			needs = said
		}
		return said, needs
	}
	needs = match[1] + " " + match[2]
	if match[3] != "" {
		needs += "." + match[3]
	}
	if match[4] != "" {
		needs += " in namespace " + match[4]
	}
	return said, needs
}

// longest is how much of what somebody said is kept: enough to see what is meant. looked is how much of it is looked at for secrets, so
// that one that the cut goes through is seen as a whole.
const (
	longest = 300
	looked  = 4 * longest
)

// brief is a text on one line, bounded and with secrets masked.
func brief(text string) string {
	more := len(text) > looked
	if more {
		text = text[:looked]
	}
	text = mask(strings.Join(strings.Fields(text), " "))
	if len(text) <= longest && !more {
		return text
	}
	return strings.ToValidUTF8(text[:min(len(text), longest)], "") + " …"
}
