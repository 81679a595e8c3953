// Package failure is the one place where activities turn errors into Temporal's.
//
// Temporal decides by the outermost error whether an activity is tried again, and shows people its message. An error that is
// wrapped at an activity's edge loses its type and may be retried for ever, so every activity returns errors made here.
package failure

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// The kinds of failure, as workflows see them in ApplicationError.Type().
const (
	Conflict    = "Conflict"    // somebody else changed the object in between, or has the right to
	NotFound    = "NotFound"    // something that the plan or the site names is not there
	Forbidden   = "Forbidden"   // a permission is missing
	Unreachable = "Unreachable" // no answer, or none that can be used
	NotReady    = "NotReady"    // the target is not yet in the state that is needed
	Unexpected  = "Unexpected"  // the target is in a state that must not be touched
	Rejected    = "Rejected"    // the other side understood, and does not take it
)

// Permanent is an error that trying again does not mend: a person has to look.
func Permanent(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// Transient is an error that may be gone at the next try.
func Transient(kind, format string, args ...any) error {
	return temporal.NewApplicationError(fmt.Sprintf(format, args...), kind)
}

// Later is an error that may be gone at the next try, which is not to come before delay is over: the other side said so.
func Later(kind string, delay time.Duration, format string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(format, args...), kind, temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}
