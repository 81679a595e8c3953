package diagnose

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

func (l *look) askDatabases(ctx context.Context) {
	var tasks []func()
	for _, database := range l.plan.Databases {
		if database.Region == l.region {
			l.Databases = append(l.Databases, diagnosis.Database{Name: database.Name})
			at := len(l.Databases) - 1
			tasks = append(tasks, func() { l.Databases[at] = l.askDatabase(ctx, database) })
		}
	}
	together(tasks...)
}

// askDatabase reads what Kubernetes knows of a database, and then each server itself.
func (l *look) askDatabase(ctx context.Context, database plan.Database) diagnosis.Database {
	seen := diagnosis.Database{Name: database.Name}
	estate, ok := ask(ctx, l, "read the objects of database "+database.Name, listTimeout, func(ctx context.Context) (kubernetes.Estate, error) {
		return kubernetes.New(l.activities.clusters).ReadEstate(ctx, kubernetes.ReadEstateParams{Namespace: l.plan.Namespace, Database: database})
	})
	if !ok {
		seen.Unknown = "its objects in Kubernetes could not be read"
		return seen
	}
	seen.Primary, seen.Service = estate.RolePrimary, estate.ServicePod
	var targets []postgres.Instance
	for _, instance := range estate.Instances {
		targets = append(targets, postgres.Instance{Pod: instance.Pod, Host: instance.IP, Port: instance.Port})
	}
	// Each server has its own timeout; this one is for the Secret with the credentials, and cuts nothing that answers.
	read, ok := ask(ctx, l, "read the servers of database "+database.Name, probeTimeout+time.Second, func(ctx context.Context) (postgres.ReadServersResult, error) {
		return postgres.New(l.activities.credentials).ReadServers(ctx, postgres.ReadServersParams{
			Database: database.Name, Catalog: database.Catalog, Instances: targets, Timeout: probeTimeout,
		})
	})
	if !ok {
		seen.Unknown = "its servers could not be asked"
		return seen
	}
	seen.Instances = instancesFrom(estate, read)
	return seen
}

func instancesFrom(estate kubernetes.Estate, read postgres.ReadServersResult) []diagnosis.Instance {
	var primary postgres.Server
	for _, server := range read.Servers {
		if server.Pod == estate.RolePrimary && server.Reached && !server.InRecovery {
			primary = server
		}
	}
	var instances []diagnosis.Instance
	for i, pod := range estate.Instances {
		server := read.Servers[i]
		instance := diagnosis.Instance{
			Pod: pod.Pod, Node: pod.Node, Zone: pod.Zone, NodeReady: pod.NodeReady, PodReady: pod.Ready && !pod.Deleting, Answers: server.Reached, Said: brief(server.Error),
			Replica: server.InRecovery, Streams: server.Receiving, Timeline: server.Timeline, Lag: -1,
		}
		if server.Reached {
			instance.LSN = server.ReplayLSN.String()
		}
		if server.Reached && primary.Reached {
			instance.Lag = max(0, int64(primary.ReplayLSN)-int64(server.ReplayLSN))
		}
		if instance.Lag > 0 && !server.LastCommit.IsZero() {
			instance.Behind = max(0, read.At.Sub(server.LastCommit))
		}
		instances = append(instances, instance)
	}
	return instances
}
