package estate

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
)

// workload is a Deployment or StatefulSet, as far as readiness goes.
type workload struct {
	Metadata struct {
		Name       string `json:"name"`
		Generation int64  `json:"generation"`
	} `json:"metadata"`
	Spec struct {
		Replicas int `json:"replicas"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		ReadyReplicas      int   `json:"readyReplicas"`
	} `json:"status"`
}

// unready says what is not Ready, empty when everything is.
func (e Estate) unready(ctx context.Context) (string, error) {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return "", err
	}
	kinds := []string{"deployments", "statefulsets"}
	found := make([][]workload, len(kinds))
	work, ctx := errgroup.WithContext(ctx)
	for i, kind := range kinds {
		work.Go(func() error {
			var list struct {
				Items []workload `json:"items"`
			}
			err := server.Get(ctx, "/apis/apps/v1/namespaces/shodo/"+kind, &list)
			found[i] = list.Items
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return "", err
	}
	var waiting []string
	for _, list := range found {
		if len(list) == 0 {
			return "workloads are missing", nil
		}
		for _, w := range list {
			if w.Status.ObservedGeneration < w.Metadata.Generation || w.Status.ReadyReplicas < w.Spec.Replicas {
				waiting = append(waiting, fmt.Sprintf("%s %d/%d", w.Metadata.Name, w.Status.ReadyReplicas, w.Spec.Replicas))
			}
		}
	}
	return strings.Join(waiting, ", "), nil
}
