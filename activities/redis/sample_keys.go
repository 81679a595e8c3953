package redis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	scanBatch    = 100   // keys that the server looks at in one SCAN
	scanLimit    = 10000 // SCANs before a sample ends, however few keys it has
	noExpiration = -1    // TTL of a key that stays
)

// SampleKeysParams names the server and the keys.
type SampleKeysParams struct {
	Instance Instance      `json:"instance"`
	Pattern  string        `json:"pattern"` // of the plan, for example session:*
	Limit    int           `json:"limit"`   // keys at most
	Timeout  time.Duration `json:"timeout"`
}

// SampleKeysResult counts what was seen.
type SampleKeysResult struct {
	Keys     int            `json:"keys"`            // that were looked at
	Complete bool           `json:"complete"`        // there are no more that match
	Types    map[string]int `json:"types,omitempty"` // keys of each type
	Staying  int            `json:"staying"`         // keys that never expire
	ShortTTL time.Duration  `json:"shortTTL"`        // the shortest and the longest of the others
	LongTTL  time.Duration  `json:"longTTL"`
}

// SampleRedisKeys looks at some of the keys of a pattern, without ever stopping the server for all of them: SCAN, and not KEYS. A key
// that expires meanwhile is not counted. It changes nothing. A sample that its time cuts short is not complete. Error: Unreachable.
func (a *Activities) SampleRedisKeys(ctx context.Context, params SampleKeysParams) (SampleKeysResult, error) {
	within, cancel := context.WithTimeout(ctx, params.Timeout)
	defer cancel()
	client := dial(params.Instance)
	defer hangUp(client)
	result := SampleKeysResult{Types: map[string]int{}}
	seen := map[string]bool{} // SCAN may return a key twice
	var cursor uint64
	for range scanLimit {
		keys, next, err := client.Scan(within, cursor, params.Pattern, scanBatch).Result()
		if err == nil {
			err = result.add(within, client, fresh(keys, seen, params.Limit))
		}
		switch {
		case err != nil && within.Err() != nil && len(seen) > 0:
			return result, nil
		case err != nil:
			return SampleKeysResult{}, unreachable("sample keys "+params.Pattern, params.Instance, err)
		case len(seen) >= params.Limit:
			return result, nil
		case next == 0:
			result.Complete = true
			return result, nil
		}
		cursor = next
	}
	return result, nil
}

// fresh are the keys that were not seen before, up to the limit.
func fresh(keys []string, seen map[string]bool, limit int) []string {
	var unseen []string
	for _, key := range keys {
		if !seen[key] && len(seen) < limit {
			seen[key] = true
			unseen = append(unseen, key)
		}
	}
	return unseen
}

// add asks for type and time to live of keys, all in one round trip.
func (r *SampleKeysResult) add(ctx context.Context, client *redis.Client, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	types, lives := make([]*redis.StatusCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			types[i], lives[i] = pipe.Type(ctx, key), pipe.PTTL(ctx, key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range keys {
		r.count(types[i].Val(), lives[i].Val())
	}
	return nil
}

func (r *SampleKeysResult) count(kind string, life time.Duration) {
	if kind == "none" { // it expired between the two questions
		return
	}
	r.Keys++
	r.Types[kind]++
	switch {
	case life == noExpiration:
		r.Staying++
	case life > 0:
		if r.ShortTTL == 0 || life < r.ShortTTL {
			r.ShortTTL = life
		}
		r.LongTTL = max(r.LongTTL, life)
	}
}
