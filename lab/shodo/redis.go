package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The start gate of Redis. A server that starts as a master takes writes at once, and a master that starts empty empties its replicas,
// so none starts before the role object says what it may be.

// redisSituation is what the gate sees.
type redisSituation struct {
	Pod    string // this pod
	Master string // whom the role object names, empty for nobody
	Epoch  int64  // of the recovery that wrote the role object, 0 before the first
	Data   bool   // there is data of an earlier start
	Ruled  bool   // and its server was started as a master
}

// redisAction is what the gate does.
type redisAction string

const (
	startMaster    redisAction = "start as the master"
	startReplica   redisAction = "start as a replica"
	succeedReplica redisAction = "set the data of the former master aside and start as a replica"
	holdRedis      redisAction = "hold: wait for the role object to change"
)

// decideRedis is the whole of the gate's judgement.
func decideRedis(s redisSituation) redisAction {
	named := s.Master == s.Pod
	switch {
	case s.Master == "":
		return holdRedis
	case named && (s.Data || s.Epoch == 0):
		return startMaster
	case named:
		return holdRedis // it has lost its data, and would empty its replicas: a recovery must name one of them
	case s.Data && s.Ruled:
		return succeedReplica // writes that nobody else has may be in there
	default:
		return startReplica
	}
}

// redisServer is the server of this pod: its name, and the folder that its data is in.
type redisServer struct{ pod, folder string }

// redisData is where all servers of a machine have their folders.
const redisData = "/data"

// runRedis passes the gate and becomes the server.
func runRedis(ctx context.Context) error {
	object, err := newRoleObject(os.Getenv("POD_NAMESPACE"), os.Getenv("ROLE_OBJECT"))
	if err != nil {
		return err
	}
	own := redisServer{pod: os.Getenv("POD_NAME"), folder: filepath.Join(redisData, os.Getenv("POD_NAME"))}
	did, err := awaitLeave(ctx, own.pod, holdRedis, func(ctx context.Context) (redisAction, error) { return own.pass(ctx, object) })
	if err != nil {
		return err
	}
	const program = "/usr/bin/redis-server"
	return syscall.Exec(program, append([]string{program}, own.arguments(did, os.Getenv("PRIMARY_SERVICE"))...), os.Environ())
}

// pass asks once who may be master and prepares the folder for it.
func (r redisServer) pass(ctx context.Context, object *roleObject) (redisAction, error) {
	now, err := object.read(ctx)
	if err != nil {
		return holdRedis, fmt.Errorf("ask who may be master: %w", err)
	}
	return r.obey(now)
}

// obey prepares the folder for what the role object wants of this server, and says what that is.
func (r redisServer) obey(now role) (redisAction, error) {
	data, err := exists(r.appendOnly())
	if err != nil {
		return holdRedis, err
	}
	ruled, err := exists(r.mark())
	if err != nil {
		return holdRedis, err
	}
	todo := decideRedis(redisSituation{Pod: r.pod, Master: now.primary, Epoch: now.epoch, Data: data, Ruled: ruled})
	switch todo {
	case startMaster:
		err = errors.Join(os.MkdirAll(r.folder, 0o700), os.WriteFile(r.mark(), nil, 0o600))
	case startReplica:
		err = os.MkdirAll(r.folder, 0o700)
	case succeedReplica:
		err = r.setAside(time.Now())
	}
	return todo, err
}

// appendOnly is the folder in which the server has its data, mark the file that says that it was a master's.
func (r redisServer) appendOnly() string { return filepath.Join(r.folder, "appendonlydir") }
func (r redisServer) mark() string       { return filepath.Join(r.folder, "was-master") }

// setAside keeps the folder under another name and makes an empty one.
func (r redisServer) setAside(now time.Time) error {
	kept := r.folder + "-set-aside-" + now.UTC().Format("20060102T150405.000Z")
	if err := os.Rename(r.folder, kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set the data of the former master aside: %w", err)
	}
	log.Printf("the data of the former master is kept in %s", kept)
	return os.MkdirAll(r.folder, 0o700)
}

// arguments are those of redis-server. The time limits make a lost master known within seconds, and a replica that was promoted goes on
// without a copy where another can follow it.
func (r redisServer) arguments(as redisAction, service string) []string {
	arguments := []string{
		"--dir", r.folder, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "3600 1", "--protected-mode", "no",
		"--repl-timeout", "5", "--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0",
	}
	if as == startMaster {
		return arguments
	}
	return append(arguments, "--replicaof", service+" 6379")
}
