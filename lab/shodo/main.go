// Command shodo is the one small program of the lab's estate: the services that users know, and the start gate that every
// PostgreSQL instance, and every Redis server, passes before it starts.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: shodo backend|frontend|ai-server|gate|instance|redis\n       shodo check URL"

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch {
	case called("backend"):
		err = runBackend(ctx)
	case called("frontend"), called("ai-server"):
		err = runFront(ctx, os.Args[1])
	case called("gate"):
		err = runGate(ctx)
	case called("instance"):
		err = runInstance(ctx)
	case called("redis"):
		err = runRedis(ctx)
	case called("check", "URL"):
		err = check(ctx, os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	stop()
	os.Exit(exitCode(os.Args[1], err))
}

// called says whether the program was called by this name and with as many arguments as are named.
func called(name string, arguments ...string) bool {
	return len(os.Args) == 2+len(arguments) && os.Args[1] == name
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
