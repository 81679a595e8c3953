package estate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
)

// program is the name of the process of every service.
const program = "shodo"

// servicePods selects the pods of services, and none of databases.
const servicePods = "/api/v1/namespaces/shodo/pods?labelSelector=estate"

// servicePod is a pod of a service.
type servicePod struct {
	Metadata struct {
		UID    string            `json:"uid"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Status struct {
		PodIP string `json:"podIP"`
	} `json:"status"`
}

func (e Estate) servicePods(ctx context.Context) ([]servicePod, error) {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []servicePod `json:"items"`
	}
	if err := server.Get(ctx, servicePods, &list); err != nil {
		return nil, fmt.Errorf("list the pods of services: %w", err)
	}
	return list.Items, nil
}

// processes finds the processes of the services on the host, which sees into all machines, by service.
func (e Estate) processes(ctx context.Context) (map[string][]process.Process, error) {
	pods, err := e.servicePods(ctx)
	if err != nil {
		return nil, err
	}
	byUID, err := processesByPod("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]process.Process{}
	for _, pod := range pods {
		service := pod.Metadata.Labels["app"]
		for _, pid := range byUID[pod.Metadata.UID] {
			p, err := process.Of(pid)
			if err != nil {
				continue // it has ended meanwhile
			}
			found[service] = append(found[service], p)
		}
	}
	return found, nil
}

// processesByPod reads of every process of the program in which pod it runs, by the UID of the pod.
func processesByPod(proc string) (map[string][]int, error) {
	groups, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "cgroup"))
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, file := range groups {
		folder := filepath.Dir(file)
		name, err := os.ReadFile(filepath.Join(folder, "comm"))
		if err != nil || strings.TrimSpace(string(name)) != program {
			continue // another program, or one that has ended meanwhile
		}
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find the processes of services: %w", err)
		}
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			return nil, err
		}
		if uid := podOf(string(text)); uid != "" {
			found[uid] = append(found[uid], pid)
		}
	}
	return found, nil
}

// podOf reads a pod's UID from the control groups of a process, empty when it runs in none.
func podOf(groups string) string {
	for line := range strings.Lines(groups) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if uid, is := strings.CutPrefix(part, "pod"); is && strings.Count(uid, "-") == 4 {
				return uid
			}
		}
	}
	return ""
}
