package estate

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	// readyPatience is how long the estate may take until everything in it is Ready. Two slow cores need about 20 s.
	readyPatience = 3 * time.Minute
	// lookEvery is the pause between two looks at what is not Ready yet.
	lookEvery = 200 * time.Millisecond
	// tokenLife is how long the worker's token is valid: longer than a lab is kept.
	tokenLife = "720h"
)

// Up makes the estate, or what of it is missing, and what a worker for it needs. It returns when everything in it is Ready.
func (e Estate) Up(ctx context.Context) error {
	if err := e.apply(ctx); err != nil {
		return err
	}
	if err := e.equipWorker(ctx); err != nil {
		return err
	}
	return e.AwaitReady(ctx)
}

// apply makes the estate, or what of it is missing.
func (e Estate) apply(ctx context.Context) error {
	v, err := e.values(Services())
	if err != nil {
		return err
	}
	foundation, err := e.foundation(v)
	if err != nil {
		return err
	}
	if _, err := e.kubectl(ctx, foundation, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		return err
	}
	if err := e.Mend(ctx); err != nil {
		return err
	}
	if err := e.applyServices(ctx, v); err != nil {
		return err
	}
	return e.createStores(ctx, v)
}

// foundation is what the manifest of that name says beside the values of the others: where the metrics API is, and who vouches for it.
type foundation struct {
	values
	CA          string // in base64
	MetricsPort int
}

func (e Estate) foundation(v values) ([]byte, error) {
	ca, err := e.authority()
	if err != nil {
		return nil, err
	}
	return render("foundation.yaml", foundation{v, ca, topology.MetricsPort})
}

// authority is the certificate by which everybody in the region is known, in base64.
func (e Estate) authority() (string, error) {
	ca, err := os.ReadFile(filepath.Join(e.Folder.Authority(e.Region.Name), authority.CA+".crt"))
	return base64.StdEncoding.EncodeToString(ca), err
}

// applyServices makes services, or what of them is missing. What somebody else added to a Deployment stays.
func (e Estate) applyServices(ctx context.Context, v values) error {
	return e.applyAll(ctx, v, "services.yaml", "deployments.yaml")
}

func (e Estate) applyAll(ctx context.Context, v values, names ...string) error {
	text, err := renderAll(v, names...)
	if err != nil {
		return err
	}
	_, err = e.kubectl(ctx, text, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// stores are what recoveries change, by the role object that says that it is there.
var stores = []struct{ role, manifest string }{{databaseRole, "database.yaml"}, {redisRole, "redis.yaml"}}

// The role objects, which say who may be primary and master.
const (
	databaseRole = "postgres-role"
	redisRole    = "redis-role"
)

// createStores creates the database and Redis, once.
func (e Estate) createStores(ctx context.Context, v values) error {
	there, err := e.kubectl(ctx, nil, "get", "configmap", databaseRole, redisRole, "-n", "shodo", "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	var names []string
	for _, store := range stores {
		if !strings.Contains(there, "/"+store.role+"\n") {
			names = append(names, store.manifest)
		}
	}
	if len(names) == 0 {
		return nil
	}
	missing, err := renderAll(v, names...)
	if err != nil {
		return err
	}
	if err := e.createVolumes(ctx, v); err != nil {
		return err
	}
	_, err = e.kubectl(ctx, missing, "apply", "-f", "-")
	return err
}

// createVolumes makes the volumes unless all are there: applying them again changes nothing and takes ten seconds.
func (e Estate) createVolumes(ctx context.Context, v values) error {
	there, err := e.kubectl(ctx, nil, "get", "pv", "-o", "name")
	if err != nil || len(strings.Fields(there)) >= len(v.Volumes) {
		return err
	}
	volumes, err := render("volumes.yaml", v)
	if err != nil {
		return err
	}
	_, err = e.kubectl(ctx, volumes, "apply", "--server-side", "-f", "-")
	return err
}

// equipWorker writes what a recovery worker is given: the product's own permissions, a token for them, and the site file.
func (e Estate) equipWorker(ctx context.Context) error {
	if e.State.Deployments == "" {
		return nil
	}
	if _, err := e.kubectl(ctx, nil, "apply", "-f", filepath.Join(e.State.Deployments, "rbac.yaml")); err != nil {
		return err
	}
	token, err := e.kubectl(ctx, nil, "create", "token", "fukkyu-worker", "-n", "fukkyu", "--duration", tokenLife)
	if err != nil {
		return err
	}
	ca, err := e.authority()
	if err != nil {
		return err
	}
	kubeconfig, err := render("worker.kubeconfig", struct {
		Region    topology.Region
		CA, Token string
	}{e.Region, ca, token})
	if err != nil {
		return err
	}
	site, err := render("site.yaml", struct {
		Region                                          topology.Region
		WorkerKubeconfig, PowerURL, PowerPassword, Host string
		Services                                        []Service
		InboxURL                                        string
		Channels                                        []string
		ObjectStore                                     string
	}{e.Region, filepath.Base(e.Folder.WorkerKubeconfig()), e.Lab.PowerURL(), filepath.Base(e.Folder.PowerPassword()), e.Lab.Host().String(), Services(), e.Lab.InboxURL(), channels, e.Lab.ObjectStoreURL() + objectstore.HealthPath})
	if err != nil {
		return err
	}
	if err := topology.WriteFile(e.Folder.WorkerKubeconfig(), kubeconfig, 0o600); err != nil {
		return err
	}
	return topology.WriteFile(e.Folder.Site(), site, 0o644)
}

// channels are those by which the plan tells people.
var channels = []string{"on-call-pager", "development-lead-pager", "management-pager", "executives-mail", "incident-chat"}

// AwaitReady returns when every pod of the estate is Ready and as many are there as are wanted.
func (e Estate) AwaitReady(ctx context.Context) error { return e.awaitReady(ctx, readyPatience) }

func (e Estate) awaitReady(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var seen string
	for {
		unready, err := e.unready(ctx)
		switch {
		case err != nil:
			seen = err.Error()
		case unready == "":
			return nil
		default:
			seen = unready
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the estate is not Ready after %s: %s; see lab status and %s", patience, seen, e.Folder.Logs())
		case <-ticker.C:
		}
	}
}
