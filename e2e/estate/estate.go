// Package estate drives the real programs on the lab's estate, as a person would: the commands lab and fukkyu, and the worker.
// The demo, the benchmark and the end-to-end tests share it.
package estate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
)

// Estate is a lab that is up, and the programs to use on it.
type Estate struct {
	Bin  string // folder of the binaries lab, fukkyu and fukkyu-worker
	Dir  string // the lab's data folder
	Plan string // the plan file that workers are given
	Root string // the repository
}

// Open finds the programs that the tasks have built, and the lab's data folder.
func Open() (Estate, error) {
	root, err := repository()
	if err != nil {
		return Estate{}, err
	}
	e := Estate{Root: root, Bin: filepath.Join(root, "bin"), Plan: filepath.Join(root, "plans", "shodo.yaml"), Dir: os.Getenv("LAB_DIR")}
	if e.Dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Estate{}, fmt.Errorf("find the lab's data folder: %w", err)
		}
		e.Dir = filepath.Join(home, ".cache", "fukkyu-lab")
	}
	for _, program := range []string{"lab", "fukkyu", "fukkyu-worker"} {
		if _, err := os.Stat(filepath.Join(e.Bin, program)); err != nil {
			return Estate{}, fmt.Errorf("%s is not built: run the task build first: %w", program, err)
		}
	}
	return e, nil
}

// Up opens the estate of a lab that it brings up first, if it is not up, with the flags of lab up. Temporal is taught what it needs.
func Up(ctx context.Context, flags ...string) (Estate, error) {
	e, err := Open()
	if err != nil {
		return e, err
	}
	up := e.Command(ctx, "lab", append([]string{"up"}, flags...)...)
	up.Stderr = os.Stderr // how far it is
	if err := up.Run(); err != nil {
		return e, fmt.Errorf("bring the lab up: %w", err)
	}
	setup, err := e.Fukkyu(ctx, "setup")
	if err == nil && setup.Exit != 0 {
		err = fmt.Errorf("fukkyu setup: %s", setup.Stderr)
	}
	return e, err
}

// repository is the folder above that holds the product's go.mod.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "plans", "shodo.yaml")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("run this inside the repository: no plans/shodo.yaml above")
		}
		folder = parent
	}
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Exit           int
}

// Lab runs the lab's command and fails when it does.
func (e Estate) Lab(ctx context.Context, args ...string) (string, error) {
	result, err := e.run(ctx, "lab", args...)
	if err != nil {
		return "", err
	}
	if result.Exit != 0 {
		return result.Stdout, fmt.Errorf("lab %s: exit %d: %s", strings.Join(args, " "), result.Exit, strings.TrimSpace(result.Stderr))
	}
	return result.Stdout, nil
}

// Each runs commands of the lab one after the other, each of them words with a space between, and stops at the first that fails.
func (e Estate) Each(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		if _, err := e.Lab(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}

// Kubectl asks the real API server as its administrator, in the namespace of the estate.
func (e Estate) Kubectl(ctx context.Context, args ...string) (string, error) {
	result, err := e.run(ctx, "kubernetes", append([]string{"kubectl", "--kubeconfig", filepath.Join(e.Dir, "kubeconfig"), "-n", "shodo"}, args...)...)
	if err == nil && result.Exit != 0 {
		err = fmt.Errorf("kubectl %s: %s", strings.Join(args, " "), strings.TrimSpace(result.Stderr))
	}
	return result.Stdout, err
}

// Fukkyu runs the product's command. That it refuses is a result, not an error.
func (e Estate) Fukkyu(ctx context.Context, args ...string) (Result, error) {
	return e.run(ctx, "fukkyu", args...)
}

// Command prepares one of the programs to be run on this estate.
func (e Estate) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(e.Bin, program), args...)
	command.Env = append(os.Environ(), "NO_COLOR=1", "LAB_DIR="+e.Dir, "LAB_DEPLOYMENTS="+filepath.Join(e.Root, "deployments", "kubernetes"),
		"LAB_KUBERNETES="+filepath.Join(e.Bin, "kubernetes"), "LAB_SHODO="+filepath.Join(e.Bin, "shodo"), "LAB_TEMPORAL="+filepath.Join(e.Bin, "temporal"))
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	return command
}

func (e Estate) run(ctx context.Context, program string, args ...string) (Result, error) {
	command := e.Command(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Exit: command.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return result, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return result, nil
}

// Recover runs a scenario on the lab's database to its end and returns its report. Extra flags follow the usual ones.
func (e Estate) Recover(ctx context.Context, scenario workflows.Scenario, flags ...string) (report.Report, Result, error) {
	args := append([]string{"run", scenario.Name, "--database", "shodo", "--by", "yuki", "--reason", "asked for by a test or a demonstration", "--output", "json"}, flags...)
	result, err := e.Fukkyu(ctx, args...)
	if err != nil {
		return report.Report{}, result, err
	}
	var got report.Report
	if err := json.Unmarshal([]byte(result.Stdout), &got); err != nil {
		return got, result, fmt.Errorf("read the report: %w\nstdout: %s\nstderr: %s", err, result.Stdout, result.Stderr)
	}
	return got, result, nil
}

// Await polls condition until it holds. The error says what was waited for and what was seen last.
func Await(ctx context.Context, what string, patience time.Duration, condition func() (bool, string)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		met, seen := condition()
		if met {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come about within %s; seen: %s", what, patience, seen)
		case <-ticker.C:
		}
	}
}
