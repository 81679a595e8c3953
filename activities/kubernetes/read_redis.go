package kubernetes

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// ReadRedisParams names the Redis.
type ReadRedisParams struct {
	Namespace string     `json:"namespace"`
	Redis     plan.Redis `json:"redis"`
}

// ReadRedis reads everything that Kubernetes knows of a Redis, all objects at the same time. It changes nothing. RolePrimary stays empty for
// a Redis without a role object. Errors: NotFound for an object of the plan, Forbidden, Unreachable.
func (a *Activities) ReadRedis(ctx context.Context, params ReadRedisParams) (Estate, error) {
	client, err := a.client(params.Redis.Region)
	if err != nil {
		return Estate{}, err
	}
	redis := params.Redis
	return readEstate(ctx, client, members{
		namespace: params.Namespace, sets: append([]string{redis.Master}, redis.Replicas...), role: redis.Role, service: redis.Service, port: redis.Port,
	})
}
