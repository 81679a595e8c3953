package estate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/smalldisk"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	// holder keeps a pod that was deleted from being replaced while its volume is exchanged.
	holder = "lab.local/disk"
	// podPatience is how long a pod may take to end, and then to be Ready again.
	podPatience = time.Minute
)

// databasePod is a pod of the database, as far as its volume goes.
type databasePod struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Spec struct {
		NodeName string `json:"nodeName"`
		Volumes  []struct {
			Claim struct {
				Name string `json:"claimName"`
			} `json:"persistentVolumeClaim"`
		} `json:"volumes"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		Containers []struct {
			State struct {
				Terminated *struct{} `json:"terminated"`
			} `json:"state"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

func (p databasePod) ended() bool {
	for _, container := range p.Status.Containers {
		if container.State.Terminated == nil {
			return false
		}
	}
	return true
}

func (p databasePod) ready() bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// FillDisk leaves no space on the volume of a database pod. The first time the volume is made a file system of its own, for which the
// pod is stopped and comes back some seconds later; after that space goes and comes back while the server runs.
func (e Estate) FillDisk(ctx context.Context, name string) error {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return err
	}
	pod, err := e.databasePod(ctx, server, name)
	if err != nil {
		return err
	}
	inMachine, err := volumePath(ctx, server, name, pod)
	if err != nil {
		return err
	}
	node, err := e.Lab.Node(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	m := machine.OfNode(e.Lab, e.Folder, node)
	if !m.On() {
		return fmt.Errorf("fill the disk of %s: its node %s is off; mend it first", name, node.Name)
	}
	folder := filepath.Join(e.Folder.Machine(node.Name), "volumes", filepath.Base(inMachine))
	if !smalldisk.Is(folder) {
		exchange := func() error {
			if err := smalldisk.Take(ctx, folder); err != nil {
				return err
			}
			return m.Attach(folder, inMachine)
		}
		if err := e.whileStopped(ctx, server, name, pod, exchange); err != nil {
			return fmt.Errorf("fill the disk of %s: %w", name, err)
		}
	}
	return smalldisk.Fill(folder)
}

func (e Estate) databasePod(ctx context.Context, server cluster.Server, name string) (databasePod, error) {
	var pod databasePod
	err := server.Get(ctx, "/api/v1/namespaces/shodo/pods/"+name, &pod)
	if errors.Is(err, cluster.ErrNotFound) {
		return pod, fmt.Errorf("no such pod %s; pods of the database are shown by: lab status", name)
	}
	return pod, err
}

// volumePath is where the pod's volume is in its machine.
func volumePath(ctx context.Context, server cluster.Server, name string, pod databasePod) (string, error) {
	var claim struct {
		Spec struct {
			VolumeName string `json:"volumeName"`
		} `json:"spec"`
	}
	var volume struct {
		Spec struct {
			Local struct {
				Path string `json:"path"`
			} `json:"local"`
		} `json:"spec"`
	}
	for _, v := range pod.Spec.Volumes {
		if v.Claim.Name == "" {
			continue
		}
		if err := server.Get(ctx, "/api/v1/namespaces/shodo/persistentvolumeclaims/"+v.Claim.Name, &claim); err != nil {
			return "", err
		}
		if err := server.Get(ctx, "/api/v1/persistentvolumes/"+claim.Spec.VolumeName, &volume); err != nil {
			return "", err
		}
		return volume.Spec.Local.Path, nil
	}
	return "", fmt.Errorf("pod %s has no volume; those of the database have one", name)
}

// whileStopped acts while the pod does not run, and returns when the one in its place is Ready.
func (e Estate) whileStopped(ctx context.Context, server cluster.Server, name string, pod databasePod, act func() error) error {
	if err := e.hold(ctx, name, `["`+holder+`"]`); err != nil {
		return err
	}
	err := func() error {
		if _, err := e.kubectl(ctx, nil, "delete", "pod", name, "-n", "shodo", "--wait=false"); err != nil {
			return err
		}
		if err := e.awaitPod(ctx, server, name, "end", databasePod.ended); err != nil {
			return err
		}
		return act()
	}()
	// Also when it was interrupted: a pod that is held would be gone for good.
	if err := errors.Join(err, e.hold(context.WithoutCancel(ctx), name, "null")); err != nil {
		return err
	}
	return e.awaitPod(ctx, server, name, "be Ready again", func(now databasePod) bool {
		return now.Metadata.UID != pod.Metadata.UID && now.ready()
	})
}

func (e Estate) hold(ctx context.Context, name, finalizers string) error {
	_, err := e.kubectl(ctx, nil, "patch", "pod", name, "-n", "shodo", "--type", "merge", "-p", `{"metadata":{"finalizers":`+finalizers+`}}`)
	return err
}

// awaitPod returns when the pod of the name is as wanted.
func (e Estate) awaitPod(ctx context.Context, server cluster.Server, name, what string, wanted func(databasePod) bool) error {
	ctx, cancel := context.WithTimeout(ctx, podPatience)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		pod, err := e.databasePod(ctx, server, name)
		if err == nil && wanted(pod) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for pod %s to %s: %w", name, what, ctx.Err()), err)
		case <-ticker.C:
		}
	}
}

// removeSmallDisks makes the volumes folders on the machines' disks again. What was on small disks is lost.
func (e Estate) removeSmallDisks() error {
	for _, node := range e.Region.Nodes {
		m := machine.OfNode(e.Lab, e.Folder, node)
		for number := 1; number <= topology.VolumesPerNode; number++ {
			folder, inMachine := e.Folder.Volume(node.Name, number)
			if !smalldisk.Is(folder) {
				continue
			}
			if err := errors.Join(m.Detach(inMachine), smalldisk.Remove(folder)); err != nil {
				return err
			}
		}
	}
	return nil
}
