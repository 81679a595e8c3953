package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// imported, on the node's disk, has the checksum of the image archive containerd already holds.
const imported = "/var/lib/containerd/lab-images.sha256"

// importImages gives containerd the lab's images, unless it has them from an earlier start. It waits for containerd.
func importImages(ctx context.Context) error {
	sum, err := checksum(imageArchive)
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(imported); err == nil && string(have) == sum {
		return nil
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range importTries {
		if _, err = run(ctx, "ctr", "--namespace", "k8s.io", "images", "import", imageArchive); err == nil {
			return os.WriteFile(imported, []byte(sum), 0o644)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return fmt.Errorf("give containerd the images of the lab: %w", err)
}

func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// writeBaseSpec writes what every container starts from: containerd's own default, with the machine's /usr read-only,
// so that the programs of the host image cost nothing.
func writeBaseSpec(ctx context.Context) error {
	output, err := run(ctx, "ctr", "oci", "spec")
	if err != nil {
		return fmt.Errorf("make the base specification of containers: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(output, &spec); err != nil {
		return fmt.Errorf("read the base specification of containers: %w", err)
	}
	mounts, _ := spec["mounts"].([]any)
	spec["mounts"] = append(mounts, map[string]any{"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"rbind", "ro"}})
	if process, ok := spec["process"].(map[string]any); ok {
		// It limits open files to 1024, which a container run by Kubernetes otherwise does not have.
		delete(process, "rlimits")
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(baseSpec, data, 0o644)
}
