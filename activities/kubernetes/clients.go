package kubernetes

import (
	"context"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// apiTimeout bounds one request: an API server that hangs must not hold an activity longer than it may be retried.
const apiTimeout = 5 * time.Second

// SiteClusters are the clusters of a site, connected once.
type SiteClusters map[string]Cluster

// Connect prepares a client for every region of the site. It sends nothing yet.
func Connect(site plan.Site) (SiteClusters, error) {
	clusters := SiteClusters{}
	for _, region := range site.Regions {
		config, err := configOf(region.Kubernetes)
		if err != nil {
			return nil, fmt.Errorf("prepare the Kubernetes client of region %s: %w", region.Name, err)
		}
		config.UserAgent = "fukkyu"
		config.QPS = -1 // a recovery sends dozens of requests, not thousands: waiting for a token would only cost time
		config.Timeout = apiTimeout
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, fmt.Errorf("prepare the Kubernetes client of region %s: %w", region.Name, err)
		}
		clusters[region.Name] = Cluster{Client: client, Config: config}
	}
	return clusters, nil
}

func configOf(reference plan.Kubernetes) (*rest.Config, error) {
	if reference.Kubeconfig == "" && reference.Context == "" {
		return rest.InClusterConfig()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if reference.Kubeconfig != "" {
		rules.ExplicitPath = reference.Kubeconfig
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: reference.Context}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
}

// Cluster is the cluster of a region. Error: NotFound when the site has none.
func (c SiteClusters) Cluster(region string) (Cluster, error) {
	cluster, found := c[region]
	if !found {
		return Cluster{}, failure.Permanent(failure.NotFound, "region %s is not in the site", region)
	}
	return cluster, nil
}

// Credentials reads the credentials of databases from Secrets.
type Credentials struct {
	Clusters Clusters
	Plan     plan.Plan
	Site     plan.Site
}

// For reads username and password of the role that recovers a database. Errors: NotFound, Forbidden, Unreachable.
func (c Credentials) For(ctx context.Context, name string) (username, password string, err error) {
	database, found := c.Plan.Database(name)
	if !found {
		return "", "", failure.Permanent(failure.NotFound, "database %s is not in the plan", name)
	}
	secret := ""
	for _, candidate := range c.Site.Databases {
		if candidate.Name == name {
			secret = candidate.Secret
		}
	}
	if secret == "" {
		return "", "", failure.Permanent(failure.NotFound, "the site names no secret for database %s", name)
	}
	cluster, err := c.Clusters.Cluster(database.Region)
	if err != nil {
		return "", "", err
	}
	stored, err := cluster.Client.CoreV1().Secrets(c.Plan.Namespace).Get(ctx, secret, metav1.GetOptions{})
	if err != nil {
		return "", "", Failure(fmt.Sprintf("read secret %s/%s", c.Plan.Namespace, secret), err)
	}
	return string(stored.Data["username"]), string(stored.Data["password"]), nil
}
