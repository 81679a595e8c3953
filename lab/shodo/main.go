// Command shodo is the one small program of the lab's estate: the services that users know, and the start gate that every
// PostgreSQL instance passes before it starts.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: shodo backend|frontend|ai-server|gate|instance"

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch os.Args[1] {
	case "backend":
		err = runBackend(ctx)
	case "frontend", "ai-server":
		err = runFront(ctx, os.Args[1])
	case "gate":
		err = runGate(ctx)
	case "instance":
		err = runInstance(ctx)
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	stop()
	os.Exit(exitCode(os.Args[1], err))
}

// exitCode is 0 for a gate that the instance may pass, and for a service that was asked to stop. A gate that was asked to
// stop has failed: Kubernetes takes exit code 0 for leave to start the instance.
func exitCode(name string, err error) int {
	if err == nil {
		return 0
	}
	log.Printf("%s: %s", name, err)
	return 1
}
