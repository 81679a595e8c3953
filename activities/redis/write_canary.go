package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// canaryPrefix keeps our keys apart from those of applications.
const canaryPrefix = "fukkyu:canary:"

// canaryLife is how long a canary stays when its deletion is lost.
const canaryLife = time.Minute

// WriteCanaryParams names the server and the write.
type WriteCanaryParams struct {
	Instance Instance      `json:"instance"`
	ID       string        `json:"id"` // the same at every try of one run
	Patience time.Duration `json:"patience"`
}

// WriteCanaryResult is when it worked.
type WriteCanaryResult struct {
	At       time.Time `json:"at"` // the write was read back, by this worker's clock
	Attempts int       `json:"attempts"`
}

// WriteRedisCanary writes a key of ours, reads it back and deletes it, until all three succeed. The key is the same at every try, and
// ends by itself after a minute. Error: NotReady when it did not succeed within its patience.
func (a *Activities) WriteRedisCanary(ctx context.Context, params WriteCanaryParams) (WriteCanaryResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	client := dial(params.Instance)
	defer hangUp(client)
	said := "nothing"
	for attempt := 1; ; attempt++ {
		at, err := writeOnce(ctx, client, canaryPrefix+params.ID)
		if err == nil {
			return WriteCanaryResult{At: at, Attempts: attempt}, nil
		}
		if hasTime(ctx) || attempt == 1 { // that our own patience ended says less than the try before
			said = brief(err)
		}
		if pause(ctx) != nil {
			return WriteCanaryResult{}, failure.Transient(failure.NotReady, "write to %s (%s): not acknowledged within %s, %d tries; the last said: %s",
				params.Instance.Pod, params.Instance.address(), params.Patience, attempt, said)
		}
	}
}

func writeOnce(ctx context.Context, client *redis.Client, key string) (time.Time, error) {
	const value = "written by fukkyu"
	if err := client.Set(ctx, key, value, canaryLife).Err(); err != nil {
		return time.Time{}, err
	}
	found, err := client.Get(ctx, key).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("written, but not read back: %w", err)
	}
	if found != value {
		return time.Time{}, fmt.Errorf("written %q, but read back %q", value, found)
	}
	return time.Now(), client.Del(ctx, key).Err()
}
