package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// settle is how long what a rescuer has begun may take to come to rest after it has ended.
const settle = 20 * time.Second

// autoRecovery is the plan's own script.
//
//go:embed auto-recovery.sh
var autoRecovery []byte

// rescuer is who recovers.
type rescuer struct {
	name    string
	command func(context.Context, *scene, disaster) (*exec.Cmd, error)
}

var (
	script = rescuer{"auto-recovery.sh", runScript}
	fukkyu = rescuer{"fukkyu", func(ctx context.Context, s *scene, d disaster) (*exec.Cmd, error) {
		return s.Command(ctx, "fukkyu", append(d.command, "--by", "yuki", "--reason", "a comparison", "--output", "json")...), nil
	}}
)

// runScript gives the script a real kubectl, the list of services, and somebody to escalate to.
func runScript(ctx context.Context, s *scene, _ disaster) (*exec.Cmd, error) {
	folder := filepath.Join(s.Dir, "auto-recovery")
	kubectl := fmt.Sprintf("#!/bin/sh\nexec %q kubectl --kubeconfig %q \"$@\"\n", filepath.Join(s.Bin, "kubernetes"), filepath.Join(s.Dir, "kubeconfig"))
	if err := os.MkdirAll(filepath.Join(folder, "scripts"), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for the script: %w", err)
	}
	for name, text := range map[string][]byte{
		"kubectl": []byte(kubectl), "scripts/auto-recovery.sh": autoRecovery, "scripts/escalate.sh": []byte("#!/bin/sh\necho escalated \"$@\"\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o755); err != nil {
			return nil, fmt.Errorf("write the script: %w", err)
		}
	}
	command := exec.CommandContext(ctx, "bash", "scripts/auto-recovery.sh", "auto")
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "RECOVERY_SERVICES="+strings.Join(s.names(), " "))
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Second
	return command, nil
}

// run brings the disaster about, lets one rescuer recover, and looks all the while.
func (s *scene) run(ctx context.Context, d disaster, by rescuer, limit time.Duration) (run, error) {
	if err := s.breakIt(ctx, d); err != nil {
		return run{}, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	command, err := by.command(limited, s, d)
	if err != nil {
		return run{}, err
	}
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	began := time.Now()
	if err := command.Start(); err != nil {
		return run{}, fmt.Errorf("start %s: %w", by.name, err)
	}
	ended := make(chan time.Duration, 1)
	go func() {
		_ = command.Wait() // how it ended is said by what it leaves
		ended <- time.Since(began)
	}()
	one, err := s.watch(ctx, began, ended)
	if err != nil {
		return run{}, err
	}
	one.GaveUp = limited.Err() != nil
	log := filepath.Join(s.Dir, "logs", fmt.Sprintf("recovery-%s-%s.log", d.name, by.name))
	return one, errors.Join(ctx.Err(), os.WriteFile(log, said.Bytes(), 0o600))
}

// watch looks until the rescuer has ended and what it began has come to rest, and says since when everything was healthy.
func (s *scene) watch(ctx context.Context, began time.Time, ended <-chan time.Duration) (run, error) {
	var one run
	var healthySince time.Time
	var rest time.Time // until when what was begun may come to rest
	ticker := time.NewTicker(s.pause())
	defer ticker.Stop()
	for {
		looked := time.Now()
		broken, err := s.broken(ctx)
		switch {
		case err != nil:
			return run{}, err
		case len(broken) > 0:
			healthySince = time.Time{}
		case healthySince.IsZero():
			healthySince = looked
		}
		one.Left = broken
		if !rest.IsZero() && (len(broken) == 0 || looked.After(rest)) {
			break
		}
		select {
		case <-ctx.Done():
			return run{}, ctx.Err()
		case took := <-ended:
			one.Took, rest = took.Seconds(), time.Now().Add(settle)
		case <-ticker.C:
		}
	}
	if !healthySince.IsZero() {
		one.Healthy = healthySince.Sub(began).Seconds()
	}
	return one, nil
}
