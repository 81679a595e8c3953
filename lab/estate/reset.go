package estate

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	// servedPatience is how long customers may find no database after everything is Ready. Connections to the servers that
	// are gone time out within a second.
	servedPatience = 15 * time.Second
	// askWithin bounds one question to the application.
	askWithin = 2 * time.Second
)

// claimed prints the volumes that belong to a claim, also to one that is gone.
const claimed = `{{range .items}}{{if .spec.claimRef}}{{.metadata.name}} {{end}}{{end}}`

// Reset brings the database and Redis back to their very first state, empty and with postgres-primary-0 as the primary and redis-master-0
// as the master, however many recoveries have changed them since, and undoes the faults of services. It returns when customers are served again. All machines must be on.
func (e Estate) Reset(ctx context.Context) error {
	for _, together := range [][][]string{
		// Without the role object start gates hold, so no instance starts on the way.
		{{"delete", "configmap", databaseRole, redisRole, "-n", "shodo", "--ignore-not-found"}},
		{
			{"delete", "statefulset", "postgres-primary", "postgres-replica", "redis-master", "redis-replica", "-n", "shodo", "--ignore-not-found", "--cascade=background", "--timeout=30s"},
			{"delete", "service", "postgres", "redis", "-n", "shodo", "--ignore-not-found"},
			{"delete", "lease", "--all", "-n", "shodo"},
		},
		{{"delete", "pod", "-n", "shodo", "-l", "app in (postgres,redis)", "--ignore-not-found", "--grace-period=1", "--timeout=30s"}},
		{{"delete", "pvc", "--all", "-n", "shodo", "--timeout=30s"}},
	} {
		work, ctx := errgroup.WithContext(ctx)
		for _, args := range together {
			work.Go(func() error {
				_, err := e.kubectl(ctx, nil, args...)
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return fmt.Errorf("put the database back: %w; are all machines on? lab mend all", err)
		}
	}
	if err := e.removeSmallDisks(); err != nil {
		return err
	}
	if err := e.wipe(); err != nil {
		return err
	}
	if err := e.releaseVolumes(ctx); err != nil {
		return err
	}
	if err := e.apply(ctx); err != nil {
		return err
	}
	if err := e.AwaitReady(ctx); err != nil {
		return err
	}
	return e.awaitServed(ctx)
}

// wipe empties the volumes on the machines' disks.
func (e Estate) wipe() error {
	for _, node := range e.Region.Nodes {
		kept, err := filepath.Glob(filepath.Join(e.Folder.Machine(node.Name), "volumes", "*", "*"))
		if err != nil {
			return err
		}
		for _, path := range kept {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("empty the volumes of %s: %w", node.Name, err)
			}
		}
	}
	return nil
}

// releaseVolumes makes the emptied volumes available to new claims. Deleting them and making them again would take
// longer than everything else of a reset.
func (e Estate) releaseVolumes(ctx context.Context) error {
	names, err := e.kubectl(ctx, nil, "get", "pv", "-o", "go-template="+claimed)
	if err != nil || names == "" {
		return err
	}
	_, err = e.kubectl(ctx, nil, append([]string{"patch", "pv", "--type", "merge", "-p", `{"spec":{"claimRef":null}}`}, strings.Fields(names)...)...)
	return err
}

// awaitServed returns when the application finds its database, asked where customers ask it. Backends outlive a reset with
// connections to servers that are gone, so that every pod is Ready does not say it yet.
func (e Estate) awaitServed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, servedPatience)
	defer cancel()
	url := fmt.Sprintf("http://%s:%d/health", e.Lab.Host(), topology.BackendPort)
	// A new connection for each question lets the balancer lead to every backend in turn.
	client := &http.Client{Timeout: askWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for wellInARow := 0; ; {
		said := askHealth(ctx, client, url)
		if said == nil {
			wellInARow++
		} else {
			wellInARow = 0
		}
		if wellInARow > len(e.Region.Nodes) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the database is as at its first start, but the application does not find it after %s: %s says: %w; is the balancer served? lab status", servedPatience, url, said)
		case <-ticker.C:
		}
	}
}

func askHealth(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
