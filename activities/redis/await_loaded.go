package redis

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// AwaitLoadedParams names the server that was started.
type AwaitLoadedParams struct {
	Instance Instance      `json:"instance"`
	Patience time.Duration `json:"patience"`
}

// AwaitRedisLoaded waits until a server that was started has read its data, and says what it is then. It changes nothing.
// Error: NotReady when it does not answer, or still loads, at the end of the patience.
func (a *Activities) AwaitRedisLoaded(ctx context.Context, params AwaitLoadedParams) (Server, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	said := "nothing"
	for {
		server := read(ctx, params.Instance)
		switch {
		case server.Reached && !server.Loading && server.KeysUnreadable == "":
			return server, nil
		case server.Loading:
			said = "it is loading its data"
		case server.Reached:
			said = server.KeysUnreadable
		case ctx.Err() == nil:
			said = server.Error
		}
		if pause(ctx) != nil {
			return Server{}, failure.Transient(failure.NotReady, "wait for %s (%s) to load its data: not within %s; the last said: %s",
				params.Instance.Pod, params.Instance.address(), params.Patience, said)
		}
	}
}
