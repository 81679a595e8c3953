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

// gateInterval is the pause between two questions while the gate holds.
const gateInterval = 200 * time.Millisecond

// runGate lets the instance of this pod start as what it may be. It never lets it start without an answer of the API server.
func runGate(ctx context.Context) error {
	object, err := newRoleObject(os.Getenv("POD_NAMESPACE"), os.Getenv("ROLE_OBJECT"))
	if err != nil {
		return err
	}
	return passGate(ctx, object, ownInstance())
}

// passGate returns nil only when the instance may start.
func passGate(ctx context.Context, object *roleObject, own instance) error {
	_, err := awaitLeave(ctx, own.pod, hold, func(ctx context.Context) (action, error) { return pass(ctx, object, own) })
	return err
}

// awaitLeave asks again and again until the gate does something else than hold, and says what.
func awaitLeave[A ~string](ctx context.Context, pod string, hold A, pass func(context.Context) (A, error)) (A, error) {
	ticker := time.NewTicker(gateInterval)
	defer ticker.Stop()
	said := ""
	for {
		did, err := pass(ctx)
		if err == nil && did != hold {
			log.Printf("%s: %s", pod, did)
			return did, nil
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
			return hold, ctx.Err()
		case <-ticker.C:
		}
	}
}

// pass asks once who may be primary and does what follows from it.
func pass(ctx context.Context, object *roleObject, own instance) (action, error) {
	now, err := object.read(ctx)
	if err != nil {
		return hold, fmt.Errorf("ask who may be primary: %w", err)
	}
	return own.obey(ctx, now)
}

// obey does what the role object wants of this instance, and says what that was. After an error the next try goes on from
// what is on the disk.
func (i instance) obey(ctx context.Context, now role) (action, error) {
	data, err := exists(filepath.Join(i.data(), "PG_VERSION"))
	if err != nil {
		return hold, err
	}
	standby, err := exists(filepath.Join(i.data(), "standby.signal"))
	if err != nil {
		return hold, err
	}
	end, err := i.end(ctx, data)
	if err != nil {
		return hold, err
	}
	todo := decide(situation{Pod: i.pod, Primary: now.primary, Epoch: now.epoch, Data: data, Standby: standby, Clean: end.clean})
	if todo == follow {
		descends, err := i.successorDescends(ctx, end)
		if err != nil {
			return hold, err
		}
		if !descends {
			todo = setAside
		}
	}
	switch todo {
	case follow:
		err = i.follow()
	case initialise:
		err = i.initialise(ctx)
	case setAside:
		if err = i.setAside(time.Now()); err == nil {
			err = i.clone(ctx)
		}
	case clone:
		err = i.clone(ctx)
	}
	return todo, err
}

// setAside keeps the data directory: rows that nobody else has may be in there. A crash before the rename leaves it where it was.
func (i instance) setAside(now time.Time) error {
	if err := os.MkdirAll(i.aside(), 0o700); err != nil {
		return fmt.Errorf("set the data directory aside: %w", err)
	}
	kept := filepath.Join(i.aside(), now.UTC().Format("20060102T150405.000Z"))
	if err := os.Rename(i.data(), kept); err != nil {
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
