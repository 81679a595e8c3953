package volume

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
)

// podShell runs programs in the maintenance pod of a place.
type podShell struct{ clusters kubernetes.Clusters }

// Run is for a pod what Shell says.
func (s podShell) Run(ctx context.Context, place Place, command Command) (Answer, error) {
	cluster, err := s.clusters.Cluster(place.Region)
	if err != nil {
		return Answer{}, err
	}
	answer, err := cluster.Exec(ctx, kubernetes.PodCommand{
		Namespace: place.Namespace, Pod: place.maintenancePod(), Container: place.Container, Line: command.Line, Input: command.Input,
	})
	return Answer(answer), err
}
