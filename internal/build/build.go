// Package build says which version of Fukkyu this is.
package build

import "runtime/debug"

// Version is the module version of a released build, or the commit of one from a checkout.
func Version() string {
	info, found := debug.ReadBuildInfo()
	if !found {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return setting.Value[:12]
		}
	}
	return info.Main.Version
}
