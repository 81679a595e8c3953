package redis

import (
	"context"
	"time"
)

// AwaitLoadedParams names the server that was started.
type AwaitLoadedParams struct {
	Instance Instance      `json:"instance"`
	Patience time.Duration `json:"patience"`
	// Silence is how long the server may not answer at all before it is not waited for any longer, though there is patience left: one that
	// loads its data says so. 0: for all of the patience.
	Silence time.Duration `json:"silence,omitempty"`
}

// AwaitLoadedResult is the server when it has read its data, or what was seen instead.
type AwaitLoadedResult struct {
	Loaded bool   `json:"loaded"`
	Seen   string `json:"seen,omitempty"` // why it is not; empty when it is
	Server Server `json:"server"`         // as it was seen last
}

// AwaitRedisLoaded waits until a server that was started has read its data, and says what it is then. It changes nothing and returns no
// error: that its patience ends before is a result, and so is that the server says nothing.
func (a *Activities) AwaitRedisLoaded(ctx context.Context, params AwaitLoadedParams) (AwaitLoadedResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	result := AwaitLoadedResult{Seen: "no answer"}
	heard := time.Now()
	for {
		server := read(ctx, params.Instance)
		if server.Reached {
			heard = time.Now()
		}
		if hasTime(ctx) || server.Reached { // that our own patience ended says less than the look before
			result = AwaitLoadedResult{Seen: server.unfit(), Server: server}
		}
		silent := params.Silence > 0 && time.Since(heard) >= params.Silence
		if result.Loaded = result.Seen == ""; result.Loaded || silent || pause(ctx) != nil {
			return result, nil
		}
	}
}

// unfit is why a server cannot be used yet. Empty: it can.
func (s Server) unfit() string {
	switch {
	case !s.Reached:
		return s.Error
	case s.Loading:
		return "it is loading its data"
	default:
		return s.KeysUnreadable
	}
}
