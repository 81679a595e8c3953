package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/workflow"
)

// redisTimeout is how long one server may take to say what it is. One that hangs is as sick as one that is gone.
const redisTimeout = 2 * time.Second

// firstSilence is how long a server of a Ready pod may say nothing before its pod is looked at again; each further time it is twice as long.
// A kubelet needs about a second to notice that a container has ended.
const firstSilence = time.Second

// redisState is a Redis as it was seen: what Kubernetes knows of it, and what its servers say.
type redisState struct {
	estate  kubernetes.Estate
	servers []redis.Server        // in the order of the estate's instances
	home    string                // the StatefulSet that holds the master in normal times
	power   power.ReadPowerResult // of the master's machine
}

// look reads all of it.
func (r *redisRecovery) look(ctx workflow.Context) error {
	estate, err := begin(r.act(ctx, "find the pods of "+r.redis.Name), kube.ReadRedis, kubernetes.ReadRedisParams{Namespace: r.place.Namespace, Redis: r.redis}).get(ctx)
	if err != nil {
		return err
	}
	seen := redisState{estate: estate, home: r.redis.Master}
	var asked []redis.Instance
	for _, instance := range estate.Instances {
		asked = append(asked, redisAddress(instance))
	}
	reading := begin(r.act(ctx, "ask the servers of "+r.redis.Name), caches.ReadRedisServers, redis.ReadServersParams{Instances: asked, Timeout: redisTimeout})
	if master, found := seen.master(); found && master.Node != "" {
		seen.power, err = begin(r.act(ctx, "is machine "+master.Node+" on?"), switches.ReadPower, power.ReadPowerParams{Region: r.place.Region, Node: master.Node}).get(ctx)
		if err != nil {
			return err
		}
	}
	read, err := reading.get(ctx)
	seen.servers = read.Servers
	r.now = seen
	return err
}

func redisAddress(instance kubernetes.Instance) redis.Instance {
	return redis.Instance{Pod: instance.Pod, Host: instance.IP, Port: instance.Port}
}

// masterName is the pod that applications are sent to. Where the Service names none, it is the first of the master's StatefulSet.
func (s redisState) masterName() string {
	if s.estate.ServicePod != "" {
		return s.estate.ServicePod
	}
	return fmt.Sprintf("%s-%d", s.home, setOf(s.estate, s.home).Start)
}

func (s redisState) master() (kubernetes.Instance, bool) { return instanceOf(s.estate, s.masterName()) }

func (s redisState) server(pod string) redis.Server {
	if at := slices.IndexFunc(s.servers, func(server redis.Server) bool { return server.Pod == pod }); at >= 0 {
		return s.servers[at]
	}
	return redis.Server{Pod: pod, Error: "there is no such pod"}
}

// rivals are other servers that take writes.
func (s redisState) rivals() []kubernetes.Instance {
	return slices.DeleteFunc(slices.Clone(s.estate.Instances), func(i kubernetes.Instance) bool {
		return i.Pod == s.masterName() || !isMaster(s.server(i.Pod))
	})
}

func (s redisState) isWell() bool { return len(s.sick()) == 0 }

// sick are the reasons why applications are not served as they should be.
func (s redisState) sick() []string {
	why := s.masterTrouble()
	for _, rival := range s.rivals() {
		why = append(why, fmt.Sprintf("%s is a master, too", rival.Pod))
	}
	return why
}

func (s redisState) masterTrouble() []string {
	name := s.masterName()
	master, found := s.master()
	server := s.server(name)
	switch {
	case !found && !s.estate.Wants(name):
		return []string{fmt.Sprintf("master %s has no pod, and no StatefulSet wants it", name)}
	case !found:
		return []string{fmt.Sprintf("master %s has no pod", name)}
	case !server.Reached:
		return []string{fmt.Sprintf("master %s does not answer: %s", name, server.Error)}
	case server.Loading:
		return []string{fmt.Sprintf("master %s is loading its data", name)}
	case server.KeysUnreadable != "":
		return []string{fmt.Sprintf("master %s cannot read its keys: %s", name, server.KeysUnreadable)}
	case server.Role != redis.Master:
		return []string{fmt.Sprintf("applications are sent to %s, which is a replica", name)}
	case !master.Ready:
		return []string{fmt.Sprintf("pod %s is not Ready, so that nobody is sent to it", name)}
	case s.estate.RolePrimary != name && s.estate.RoleEpoch > 0:
		return []string{fmt.Sprintf("the start gate would not let %s start as a master: it names %s", name, cmp.Or(s.estate.RolePrimary, "nobody"))}
	}
	return nil
}

// String is the state in a sentence.
func (s redisState) String() string {
	if why := s.sick(); len(why) > 0 {
		return strings.Join(why, "; ")
	}
	server := s.server(s.masterName())
	return fmt.Sprintf("%s is the master, with %d keys and %d replicas", server.Pod, server.Keys, server.Replicas)
}

// machineGone says why the pod of the master cannot come back where it is. Empty: it can.
func (s redisState) machineGone() string {
	master, found := s.master()
	switch {
	case !found || master.Node == "" || s.server(master.Pod).Reached:
		return ""
	case s.power.State == power.Off:
		return fmt.Sprintf("machine %s is off", master.Node)
	case !master.NodeReady:
		return fmt.Sprintf("node %s is not Ready", master.Node)
	}
	return ""
}

// toReplace are the pods of which new ones may help: the master's, or those of rivals of a master that is well.
func (s redisState) toReplace() []kubernetes.Instance {
	if rivals := s.rivals(); len(s.masterTrouble()) == 0 && len(rivals) > 0 {
		return rivals
	}
	if master, found := s.master(); found {
		return []kubernetes.Instance{master}
	}
	return nil
}

// successor is the replica that has most of the old master's data, and why the others are not it. A promotion that an earlier run began is
// finished: then the start gate names, or named before this run closed it, another pod than the old master's, and no other may be promoted.
func (s redisState) successor(old, gate string) (best redis.Server, unfit []string) {
	begun := cmp.Or(s.estate.RolePrimary, gate)
	for _, instance := range s.estate.Instances {
		server := s.server(instance.Pod)
		why := ""
		switch {
		case instance.Pod == old:
			continue
		case begun != "" && begun != old && instance.Pod != begun:
			why = "the start gate names " + begun + ", which may have been promoted already"
		case !server.Reached:
			why = server.Error
		case server.Loading:
			why = "it is loading its data"
		case server.KeysUnreadable != "":
			why = server.KeysUnreadable
		case server.Role == redis.Master && instance.Pod != begun:
			why = "it is a master already, by nobody's order"
		}
		if why != "" {
			unfit = append(unfit, fmt.Sprintf("%s: %s", instance.Pod, why))
		} else if best.Pod == "" || server.Offset > best.Offset || server.Offset == best.Offset && server.Keys > best.Keys {
			best = server
		}
	}
	return best, unfit
}

// settle waits until a remedy has worked, or is seen not to, and looks at Redis again.
func (r *redisRecovery) settle(ctx workflow.Context, remedy string, gone ...string) (string, error) {
	if err := r.await(ctx, gone); err != nil {
		return "", err
	}
	switch {
	case r.now.isWell():
		r.helped = remedy + " helped"
		r.run.Recovered(workflow.Now(ctx))
		return r.helped + ": " + r.now.String(), nil
	case r.hopeless != "":
		return fmt.Sprintf("%s does not help: %s", remedy, r.hopeless), nil
	default:
		return fmt.Sprintf("%s did not help within %s: %s", remedy, r.terms.Settle, r.now), nil
	}
}

// await watches the pods of the master until they are Ready or seen to be hopeless, and then its server. A pod is called Ready for a moment
// after its server has died: one that says nothing is waited for briefly at first, and then its pod is watched again.
func (r *redisRecovery) await(ctx workflow.Context, gone []string) error {
	end := workflow.Now(ctx).Add(r.terms.Settle)
	for silence := firstSilence; ; silence *= 2 {
		ready, err := r.awaitPods(ctx, end.Sub(workflow.Now(ctx)), gone)
		if err != nil {
			return err
		}
		if err := r.look(ctx); err != nil {
			return err
		}
		master, found := r.now.master()
		left := end.Sub(workflow.Now(ctx))
		if !ready || !found || left <= 0 || r.now.isWell() {
			return nil
		}
		err = r.awaitLoaded(ctx, master, left, silence) // a pod is Ready that loads, or hangs, or has just died
		if err != nil || r.now.isWell() || silence >= left || !workflow.Now(ctx).Before(end) {
			return err
		}
	}
}

func (r *redisRecovery) awaitPods(ctx workflow.Context, patience time.Duration, gone []string) (ready bool, err error) {
	set, _ := kubernetes.SetOf(r.now.masterName())
	target := kubernetes.WorkloadName{Namespace: r.place.Namespace, Region: r.place.Region, Kind: plan.StatefulSet, Name: set}
	watched, err := begin(patiently(r.act(ctx, "watch "+target.String()), patience), kube.AwaitWorkload,
		kubernetes.AwaitWorkloadParams{WorkloadName: target, Gone: gone, Patience: patience}).get(ctx)
	r.hopeless = watched.Hopeless
	return watched.Done, err
}

func (r *redisRecovery) awaitLoaded(ctx workflow.Context, master kubernetes.Instance, patience, silence time.Duration) error {
	_, err := begin(patiently(r.act(ctx, "wait for "+master.Pod+" to load its data"), patience), caches.AwaitRedisLoaded,
		redis.AwaitLoadedParams{Instance: redisAddress(master), Patience: patience, Silence: silence}).get(ctx)
	if err != nil {
		return err
	}
	return r.look(ctx)
}
