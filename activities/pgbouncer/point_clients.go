package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldManager is the name under which changes of a ConfigMap are recorded.
const fieldManager = "fukkyu"

// PointClientsParams say where the primary is now.
type PointClientsParams struct {
	Place Place  `json:"place"`
	Host  string `json:"host"`
	// Drop ends the connections of clients whose query hangs on the primary that is gone, as it would otherwise for minutes. Without
	// it the clients were held, and go on.
	Drop bool `json:"drop"`
}

// PointClients writes the new host into the ConfigMap, for pods that start later, and into the file of every PgBouncer that runs;
// has it RELOAD and RESUME; and reads back that it has the host and is not paused. A pod that cannot be told is in the result: it
// must be restarted before its clients are served. Called twice it changes nothing more. Errors: NotFound without the ConfigMap, its
// key or the entry, Conflict, Forbidden, and Unreachable when nobody could be told.
func (a *Activities) PointClients(ctx context.Context, params PointClientsParams) (Told, error) {
	place := params.Place
	ini, err := a.writeIni(ctx, place, params.Host)
	if err != nil {
		return Told{}, err
	}
	name := place.Bouncer.Database
	commands := []string{"RELOAD", "RESUME " + name}
	if params.Drop {
		commands = []string{"RELOAD", "KILL " + name, "RESUME " + name}
	}
	return a.all(ctx, place, "point the clients at "+params.Host, tellTimeout, func(ctx context.Context, pod string) error {
		found, err := a.console(ctx, place, pod, ini, ini, tellTimeout, commands...)
		switch {
		case err != nil:
			return err
		case found.host != params.Host:
			return fmt.Errorf("it has host %s after its reload; does it read %s, and can that be written?", found.host, place.Bouncer.File)
		case found.paused:
			return errors.New("it is still paused")
		}
		return nil
	})
}

// readIni is the configuration as the ConfigMap has it.
func (a *Activities) readIni(ctx context.Context, place Place) (string, error) {
	cluster, err := a.clusters.Cluster(place.Region)
	if err != nil {
		return "", err
	}
	doing := fmt.Sprintf("read ConfigMap %s/%s", place.Namespace, place.Bouncer.ConfigMap)
	found, err := cluster.Client.CoreV1().ConfigMaps(place.Namespace).Get(ctx, place.Bouncer.ConfigMap, metav1.GetOptions{})
	if err != nil {
		return "", kubernetes.Failure(doing, err)
	}
	return textOf(found.Data, place, doing)
}

func textOf(data map[string]string, place Place, doing string) (string, error) {
	text, found := data[place.Bouncer.Key]
	if !found {
		return "", failure.Permanent(failure.NotFound, "%s: it has no key %q; see redirect in the plan", doing, place.Bouncer.Key)
	}
	return text, nil
}

// writeIni brings the host into the ConfigMap by one conditional write, unless it is there, and returns the whole configuration.
func (a *Activities) writeIni(ctx context.Context, place Place, host string) (string, error) {
	cluster, err := a.clusters.Cluster(place.Region)
	if err != nil {
		return "", err
	}
	doing := fmt.Sprintf("write host %s into ConfigMap %s/%s", host, place.Namespace, place.Bouncer.ConfigMap)
	maps := cluster.Client.CoreV1().ConfigMaps(place.Namespace)
	found, err := maps.Get(ctx, place.Bouncer.ConfigMap, metav1.GetOptions{})
	if err != nil {
		return "", kubernetes.Failure(doing, err)
	}
	before, err := textOf(found.Data, place, doing)
	if err != nil {
		return "", err
	}
	after, err := withHost(before, place.Bouncer.Database, host)
	if err != nil {
		return "", failure.Permanent(failure.NotFound, "%s: %s; see redirect in the plan", doing, err)
	}
	if after == before {
		return after, nil
	}
	found.Data[place.Bouncer.Key] = after
	if _, err := maps.Update(ctx, found, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return "", kubernetes.Failure(doing, err)
	}
	return after, nil
}

// missed is the error of those who could not be told where everybody must be.
func missed(doing string, place Place, told Told) error {
	return failure.Transient(failure.Unreachable, "%s of %s: %s", doing, place, strings.Join(told.Missed, "; "))
}
