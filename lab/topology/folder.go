package topology

import (
	"fmt"
	"os"
	"path/filepath"
)

// Folder is the lab's one data folder. Its methods name what is in it.
//
// Only Cache and Logs survive `lab down`; `lab down --purge` removes the folder.
type Folder string

// DefaultFolder is $LAB_DIR, or fukkyu-lab in the user's cache folder.
func DefaultFolder() (Folder, error) {
	if dir := os.Getenv("LAB_DIR"); dir != "" {
		absolute, err := filepath.Abs(dir)
		return Folder(absolute), err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return Folder(filepath.Join(home, ".cache", "fukkyu-lab")), nil
}

func (f Folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

// State is the JSON file that says which lab was brought up: network, profile, binaries.
func (f Folder) State() string { return f.path("state.json") }

// Lock is held by whoever brings the lab up or down.
func (f Folder) Lock() string { return f.path("lock") }

// Kubeconfig is the administrator's, with one context per region, named like the region.
func (f Folder) Kubeconfig() string { return f.path("kubeconfig") }

// Site is where the recovery worker finds what its plan names.
func (f Folder) Site() string { return f.path("site.yaml") }

// WorkerKubeconfig is the worker's own access to the clusters.
func (f Folder) WorkerKubeconfig() string { return f.path("worker.kubeconfig") }

// PowerPassword is the file with the password of the power switch's user "operator".
func (f Folder) PowerPassword() string { return f.path("power-password") }

// EstatePasswords has the passwords of the database's roles, made once for each lab.
func (f Folder) EstatePasswords() string { return f.path("estate-passwords.json") }

// Acknowledgements is what the referee remembers.
func (f Folder) Acknowledgements() string { return f.path("referee.jsonl") }

// RefereeStopped holds the time at which the referee stopped.
func (f Folder) RefereeStopped() string { return f.path("referee.stopped") }

// Inbox is what the channels of people were sent.
func (f Folder) Inbox() string { return f.path("inbox.jsonl") }

// ObjectStoreFault is the file that says how the object store is out of order; without it, it is not.
func (f Folder) ObjectStoreFault() string { return f.path("object-store.fault") }

// Temporal is the file with Temporal's histories.
func (f Folder) Temporal() string { return f.path("temporal.db") }

// Cache holds what is expensive to make again: downloaded and unpacked packages.
func (f Folder) Cache() string { return f.path("cache") }

// Packages is the root of the unpacked packages; it has /usr/bin, /usr/lib and so on.
func (f Folder) Packages() string { return f.path("cache", "packages", "root") }

// Images is the OCI archive with the images of the estate.
func (f Folder) Images() string { return f.path("images.tar") }

// Logs has one file per process of the lab, or a folder per machine.
func (f Folder) Logs(parts ...string) string { return f.path(append([]string{"logs"}, parts...)...) }

// Authority is where the certificates and keys of the region are.
func (f Folder) Authority(region string) string { return f.path("authority", region) }

// ControlPlane is where etcd of the region keeps its data.
func (f Folder) ControlPlane(region string) string { return f.path("control-plane", region) }

// Machine is the disk of a node: what survives a power cut.
func (f Folder) Machine(node string) string { return f.path("machines", node) }

// Volume is one of the folders for local volumes on the disk of a node, by its number from 1, and what it is called in the machine.
func (f Folder) Volume(node string, number int) (folder, inMachine string) {
	name := fmt.Sprintf("v%02d", number)
	return filepath.Join(f.Machine(node), "volumes", name), filepath.Join("/srv/volumes", name)
}

// Daemons has a PID file for every process the lab leaves running on the host itself.
func (f Folder) Daemons() string { return f.path("daemons") }
