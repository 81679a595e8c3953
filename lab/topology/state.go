package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// State is what `lab up` was told, written down so that no later command has to be told again.
type State struct {
	Network     string   `json:"network"`
	Profile     string   `json:"profile"`
	Packages    []string `json:"packages,omitempty"`    // more Debian packages than every lab has
	Kubernetes  string   `json:"kubernetes"`            // path of the kubernetes binary
	Shodo       string   `json:"shodo,omitempty"`       // path of the estate's program
	Deployments string   `json:"deployments,omitempty"` // folder of the product's manifests
	Temporal    string   `json:"temporal,omitempty"`    // path of the temporal command

	TemporalPort   int `json:"temporalPort"`
	TemporalUIPort int `json:"temporalUiPort"`

	Started time.Time `json:"started"`
}

// ErrNoLab means that there is no lab in the folder.
var ErrNoLab = errors.New("no lab is up here; bring one up with: lab up")

// Load reads the state of the lab in the folder and lays it out. It returns ErrNoLab when there is none.
func Load(folder Folder) (Lab, State, error) {
	data, err := os.ReadFile(folder.State())
	if errors.Is(err, fs.ErrNotExist) {
		return Lab{}, State{}, ErrNoLab
	}
	if err != nil {
		return Lab{}, State{}, err
	}
	var state State
	if err := json.Unmarshal(data, &state); err != nil {
		return Lab{}, State{}, fmt.Errorf("read the lab's state in %s: %w; remove the lab with: lab down", folder.State(), err)
	}
	profile, err := ProfileNamed(state.Profile)
	if err != nil {
		return Lab{}, state, err
	}
	lab, err := New(state.Network, profile)
	return lab, state, err
}

// Save writes the state in one step, so that a crash leaves the old one or the new one.
func (s State) Save(folder Folder) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(folder.State(), append(data, '\n'), 0o644)
}

// WriteFile replaces a file in one step.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
