// Package estate is the Shodo estate on the lab's machines: a database with replicas, Redis, the services that users know,
// and what a recovery worker is given to reach them.
package estate

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"text/template"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/image"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

//go:embed manifests
var manifests embed.FS

// Estate is the estate of one region.
type Estate struct {
	Lab    topology.Lab
	Folder topology.Folder
	State  topology.State
	Region topology.Region
}

// Service is one service that users know.
type Service struct {
	Name      string
	Program   string // of the shodo binary
	Replicas  int
	Readiness string        // path of its readiness probe
	NodePort  int           // on every node
	Port      int           // on the balancer; a synthetic service has none of its own
	Tier      int           // of a synthetic service
	StartsIn  time.Duration // how long it takes until it listens
}

// Services lists them. The backend is ready while it lives: without its database it must still say so to its customers.
func Services() []Service {
	return []Service{
		{Name: "shodo-backend", Program: "backend", Replicas: 2, Readiness: "/alive", NodePort: 30080, Port: topology.BackendPort},
		{Name: "shodo-frontend", Program: "frontend", Replicas: 2, Readiness: "/health", NodePort: 30081, Port: topology.FrontendPort},
		{Name: "shodo-ai-server", Program: "ai-server", Replicas: 2, Readiness: "/health", NodePort: 30082, Port: topology.AIServerPort},
	}
}

// set is a StatefulSet of servers.
type set struct {
	Name     string
	Replicas int
	Node     string // that its pods are tied to, if any
}

// Last octets of the Service addresses that pods are told as host aliases, for want of a cluster DNS. Kubernetes keeps the first 16 of a
// range this small for Services that name their address: it gives them to others only when all the rest are taken. 1 is the API server's.
const (
	postgresAddress      = 2
	redisAddress         = 3
	firstInstanceAddress = 4
)

// instance is a database server that may be there, and the address of its own Service.
type instance struct{ Name, Address string }

type volume struct{ Name, Path, Node string }

// values are what the manifests say of this lab.
type values struct {
	PostgresAddress, RedisAddress, QuietNode string
	HostImage, ShodoImage, RedisFolder       string
	PostgresID, RedisID                      int
	Passwords                                map[string]string
	Services                                 []Service
	Sets, RedisSets                          []set
	Volumes                                  []volume
	Instances                                []instance
}

// values are those of an estate with these services.
func (e Estate) values(services []Service) (values, error) {
	passwords, err := e.passwords()
	if err != nil {
		return values{}, err
	}
	v := values{
		PostgresAddress: e.Region.Service(postgresAddress).String(), RedisAddress: e.Region.Service(redisAddress).String(),
		QuietNode: e.quietNode(), HostImage: image.Host, ShodoImage: image.Shodo, PostgresID: image.PostgresID, RedisID: image.RedisID,
		Passwords: passwords, Services: services, Sets: []set{{Name: "postgres-primary", Replicas: 1}, {Name: "postgres-replica", Replicas: 2}},
		RedisSets: []set{{Name: "redis-master", Replicas: 1, Node: e.quietNode()}, {Name: "redis-replica", Replicas: 1}}, RedisFolder: topology.RedisFolder,
	}
	for i, name := range []string{"postgres-primary-0", "postgres-replica-0", "postgres-replica-1", "postgres-replica-2", "postgres-replica-3"} {
		v.Instances = append(v.Instances, instance{Name: name, Address: e.Region.Service(byte(firstInstanceAddress + i)).String()})
	}
	for _, node := range e.Region.Nodes {
		if node.Name == v.QuietNode {
			continue
		}
		for i := range topology.VolumesPerNode {
			name := fmt.Sprintf("v%02d", i+1)
			v.Volumes = append(v.Volumes, volume{Name: node.Name + "-" + name, Path: "/srv/volumes/" + name, Node: node.Name})
		}
	}
	return v, nil
}

// quietNode is the machine with no volume for a database, so that it never is the one under the primary: the master of Redis lives
// there, so that a test of the database takes nothing else away.
func (e Estate) quietNode() string { return e.Region.Nodes[len(e.Region.Nodes)-1].Name }

// passwords are made once for each lab, and never leave its data folder but for the Secrets of the cluster.
func (e Estate) passwords() (map[string]string, error) {
	passwords := map[string]string{}
	data, err := os.ReadFile(e.Folder.EstatePasswords())
	if err == nil {
		return passwords, json.Unmarshal(data, &passwords)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, user := range []string{"postgres", "shodo", "replicator", "fukkyu"} {
		passwords[user] = rand.Text()
	}
	if data, err = json.Marshal(passwords); err != nil {
		return nil, err
	}
	return passwords, topology.WriteFile(e.Folder.EstatePasswords(), data, 0o600)
}

// render fills in one of the embedded files.
func render(name string, values any) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := parsed.ExecuteTemplate(&text, name, values); err != nil {
		return nil, fmt.Errorf("fill in %s: %w", name, err)
	}
	return text.Bytes(), nil
}

// renderAll fills in several of the embedded files and makes one of them: each run of kubectl costs a fifth of a second.
func renderAll(values any, names ...string) ([]byte, error) {
	var texts [][]byte
	for _, name := range names {
		text, err := render(name, values)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return bytes.Join(texts, []byte("\n---\n")), nil
}

// kubectl runs the real kubectl as the lab's administrator.
func (e Estate) kubectl(ctx context.Context, input []byte, args ...string) (string, error) {
	command := exec.CommandContext(ctx, e.State.Kubernetes, append([]string{"kubectl", "--kubeconfig", e.Folder.Kubeconfig(), "--context", e.Region.Name}, args...)...)
	command.Stdin = bytes.NewReader(input)
	var output, talk bytes.Buffer
	command.Stdout, command.Stderr = &output, &talk
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(talk.String()))
	}
	return output.String(), nil
}
