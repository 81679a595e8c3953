package pgtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// launches are carried out by one thread that never ends: the kernel kills a server when the *thread* that started it ends,
// and of a test that was killed no server shall stay behind.
var launches = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range queue {
			do()
		}
	}()
	return queue
})

func launch(command *exec.Cmd) error {
	done := make(chan error, 1)
	launches() <- func() { done <- command.Start() }
	return <-done
}

// children are the processes that a process has started. PostgreSQL's call setsid, so no process group names them all.
func children(parent int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // the process has ended since
		}
		// "PID (name) state parent …", and the name may hold anything
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			found = append(found, child)
		}
	}
	return found
}
