package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Load reads and validates a plan file. The error is Errors, all of them, when the file could be read.
func Load(path string) (Pinned, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Pinned{}, fmt.Errorf("read the plan: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and validates a plan. file is only how errors name it.
func Parse(file string, data []byte) (Pinned, error) {
	pinned, read := parse(file, data)
	return pinned, read.errors.orNil()
}

// parse reads and validates a plan, and keeps where everything stands in it.
func parse(file string, data []byte) (Pinned, *document) {
	var plan Plan
	read := decode(file, data, &plan)
	if len(read.errors) == 0 || len(read.places) > 0 {
		plan.validate(read)
	}
	plan.applyDefaults()
	digest := sha256.Sum256(data)
	return Pinned{Plan: plan, Hash: "sha256:" + hex.EncodeToString(digest[:])}, read
}

// LoadSite reads and validates a site file against the plan that it is for. The error is Errors, all of them, when the file
// could be read. Relative paths in it start at its own folder.
func LoadSite(path string, plan Plan) (Site, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Site{}, fmt.Errorf("read the site: %w", err)
	}
	site, err := ParseSite(path, data, plan)
	site.resolve(filepath.Dir(path))
	return site, err
}

// ParseSite reads and validates a site. file is only how errors name it.
func ParseSite(file string, data []byte, plan Plan) (Site, error) {
	var site Site
	read := decode(file, data, &site)
	if len(read.errors) == 0 || len(read.places) > 0 {
		site.validate(read, plan)
	}
	return site, read.errors.orNil()
}

// resolve makes the file names of a site absolute.
func (s *Site) resolve(folder string) {
	s.Evidence = under(folder, cmp.Or(s.Evidence, "evidence"))
	for i := range s.Regions {
		region := &s.Regions[i]
		region.Kubernetes.Kubeconfig = under(folder, region.Kubernetes.Kubeconfig)
		if region.Power != nil {
			region.Power.PasswordFile = under(folder, region.Power.PasswordFile)
		}
	}
	for _, channel := range s.Channels {
		channel.resolve(folder)
	}
}

func under(folder, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(folder, file)
}
