package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"
)

// Where an instance keeps what it has.
const (
	dataFolder  = "/data/pgdata"
	asideFolder = "/data/set-aside"
)

// gateInterval is the pause between two questions while the gate holds.
const gateInterval = 200 * time.Millisecond

// runGate lets the instance of this pod start as what it may be. It never lets it start without an answer of the API server.
func runGate(ctx context.Context) error {
	pod := os.Getenv("POD_NAME")
	object, err := newRoleObject(os.Getenv("POD_NAMESPACE"), os.Getenv("ROLE_OBJECT"))
	if err != nil {
		return err
	}
	return passGate(ctx, object, pod)
}

// passGate returns nil only when the instance may start.
func passGate(ctx context.Context, object *roleObject, pod string) error {
	ticker := time.NewTicker(gateInterval)
	defer ticker.Stop()
	said := ""
	for {
		did, err := pass(ctx, object, pod)
		if err == nil && did != hold {
			log.Printf("%s: %s", pod, did)
			return nil
		}
		now := string(hold)
		if err != nil {
			now = err.Error()
		}
		if now != said {
			log.Printf("%s: %s", pod, now)
			said = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// pass asks once who may be primary and does what follows from it.
func pass(ctx context.Context, object *roleObject, pod string) (action, error) {
	now, err := object.read(ctx)
	if err != nil {
		return hold, fmt.Errorf("ask who may be primary: %w", err)
	}
	data, err := exists(filepath.Join(dataFolder, "PG_VERSION"))
	if err != nil {
		return hold, err
	}
	standby, err := exists(filepath.Join(dataFolder, "standby.signal"))
	if err != nil {
		return hold, err
	}
	todo := decide(situation{Pod: pod, Primary: now.primary, Epoch: now.epoch, Data: data, Standby: standby})
	switch todo {
	case initialise:
		err = initialiseDatabase(ctx)
	case setAside:
		if err = moveAside(time.Now()); err == nil {
			err = clonePrimary(ctx, pod)
		}
	case clone:
		err = clonePrimary(ctx, pod)
	}
	return todo, err
}

// moveAside keeps the data directory: rows that nobody else has may be in there. A crash before the rename leaves it where it was.
func moveAside(now time.Time) error {
	if err := os.MkdirAll(asideFolder, 0o700); err != nil {
		return fmt.Errorf("set the data directory aside: %w", err)
	}
	kept := filepath.Join(asideFolder, now.UTC().Format("20060102T150405.000Z"))
	if err := os.Rename(dataFolder, kept); err != nil {
		return fmt.Errorf("set the data directory aside: %w", err)
	}
	log.Printf("the old data directory is kept in %s", kept)
	return nil
}

// exists fails when the disk does not say. A data directory that is taken for a replica's although it is not starts as a
// primary, so the gate must not guess.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the data directory: %w", err)
	}
	return true, nil
}
