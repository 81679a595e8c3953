package workflows

import (
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"go.temporal.io/sdk/workflow"
)

// recreateSlots gives the new primary the slots by which the other replicas stream.
func (f *databaseFailover) recreateSlots(ctx workflow.Context) error {
	params := postgres.RecreateSlotsParams{Database: f.database.Name, Catalog: f.database.Catalog, Primary: f.targetAddress()}
	for _, replica := range f.replicas() {
		if replica.Pod != f.target.Pod {
			params.Replicas = append(params.Replicas, address(replica))
		}
	}
	result, err := begin(f.act(ctx, "make the replicas' replication slots on "+f.target.Pod), servers.RecreateSlots, params).get(ctx)
	if err != nil {
		return err
	}
	if len(result.Made) > 0 {
		f.run.Fact("replication slots made", strings.Join(result.Made, ", "))
	}
	if len(result.Unasked) > 0 {
		f.run.Fact("replicas that could not be asked for their replication slot", strings.Join(result.Unasked, "; "))
	}
	return nil
}

// dropStaleSlots drops the slots of a former primary, now a replica, whose users follow the new one.
func (f *databaseFailover) dropStaleSlots(ctx workflow.Context, former postgres.Instance) error {
	result, err := begin(f.act(ctx, "drop stale replication slots of "+former.Pod), servers.DropStaleSlots, postgres.DropStaleSlotsParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Former: former, Primary: f.targetAddress(),
	}).get(ctx)
	if err == nil && len(result.Dropped) > 0 {
		f.run.Fact("stale replication slots dropped", fmt.Sprintf("%s, of %s", strings.Join(result.Dropped, ", "), former.Pod))
	}
	return err
}
