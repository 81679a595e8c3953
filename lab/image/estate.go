package image

import (
	"fmt"
	"os"
)

// Names of the lab's images.
const (
	Pause = "lab.local/pause:1" // keeps a pod's namespaces
	Host  = "lab.local/host:1"  // everything the machine has in /usr, and /shodo
	Shodo = "lab.local/shodo:1" // /shodo alone
)

// Users of the host image, by name and number. They are the image's own and independent of the host's accounts.
const (
	PostgresID = 26
	RedisID    = 27
)

// Estate returns the images of the estate. program is the path of the estate's static program; with none, the host
// image is without /shodo and there is no shodo image.
func Estate(program string) ([]Image, error) {
	waiting, err := pauseProgram()
	if err != nil {
		return nil, err
	}
	pause := Image{Name: Pause, Entrypoint: []string{"/pause"}, Entries: []Entry{{Path: "/pause", Mode: 0o755, Data: waiting}}}
	if program == "" {
		return []Image{pause, {Name: Host, Entries: hostEntries()}}, nil
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read the estate's program: %w; build it and name it by --shodo or LAB_SHODO", err)
	}
	shodo := Entry{Path: "/shodo", Mode: 0o755, Data: binary}
	return []Image{
		pause,
		{Name: Host, Entries: append(hostEntries(), shodo)},
		{Name: Shodo, Entrypoint: []string{"/shodo"}, Entries: []Entry{{Path: "/tmp", Mode: 0o1777}, shodo}},
	}, nil
}

// hostEntries is a root whose /usr is empty: every container gets the machine's /usr bound there, read-only. The
// accounts must be in the image, because a user's name is looked up before anything is mounted.
func hostEntries() []Entry {
	passwd := fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\npostgres:x:%d:%d:PostgreSQL:/tmp:/bin/sh\nredis:x:%d:%d:Redis:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		PostgresID, PostgresID, RedisID, RedisID)
	group := fmt.Sprintf("root:x:0:\npostgres:x:%d:\nredis:x:%d:\nnogroup:x:65534:\n", PostgresID, RedisID)
	entries := []Entry{
		{Path: "/bin", Link: "usr/bin"}, {Path: "/sbin", Link: "usr/sbin"}, {Path: "/lib", Link: "usr/lib"}, {Path: "/lib64", Link: "usr/lib64"},
		{Path: "/tmp", Mode: 0o1777}, {Path: "/run", Mode: 0o1777},
	}
	for _, folder := range []string{"/usr", "/etc", "/proc", "/sys", "/dev", "/var", "/var/lib", "/var/log", "/root", "/data"} {
		entries = append(entries, Entry{Path: folder, Mode: 0o755})
	}
	return append(entries,
		Entry{Path: "/var/run", Link: "/run"}, Entry{Path: "/var/tmp", Mode: 0o1777},
		Entry{Path: "/etc/passwd", Mode: 0o644, Data: []byte(passwd)},
		Entry{Path: "/etc/group", Mode: 0o644, Data: []byte(group)},
		Entry{Path: "/etc/nsswitch.conf", Mode: 0o644, Data: []byte("passwd: files\ngroup: files\nhosts: files dns\n")},
	)
}
