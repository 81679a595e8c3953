package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
)

// damage is no command in Redis's append-only format, and not the cut end of one either, which a server would forgive.
const damage = "\r\nno command\r\n*1\r\n"

// DamageAppendOnly damages the append-only file of a Redis pod and lets its server end, as a crash would: it does not start again, because it
// refuses to read the file.
func (e Estate) DamageAppendOnly(ctx context.Context, pod string) error {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return err
	}
	var found struct {
		Spec struct {
			NodeName string `json:"nodeName"`
		} `json:"spec"`
	}
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/pods/"+pod, &found); err != nil {
		return fmt.Errorf("find pod %s: %w; pods of Redis are shown by: lab status", pod, err)
	}
	pattern := filepath.Join(e.Folder.Machine(found.Spec.NodeName), "volumes", "redis", pod, "appendonlydir", "*.incr.aof")
	files, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		return err
	case len(files) == 0:
		return fmt.Errorf("pod %s has no append-only file; redis-master-0 and redis-replica-0 have one", pod)
	}
	for _, path := range files {
		if err := appendTo(path, damage); err != nil {
			return err
		}
	}
	said, err := e.kubectl(ctx, nil, "exec", pod, "-n", "shodo", "--", "redis-cli", "SHUTDOWN", "NOSAVE")
	if err != nil && !strings.Contains(err.Error(), "137") { // the container ends under the command
		return fmt.Errorf("end the server of %s: %w: %s", pod, err, said)
	}
	return nil
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("damage %s: %w", path, err)
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}
