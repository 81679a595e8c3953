package node

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/cgroup"
	"github.com/shodo-ecosystem/fukkyu/lab/image"
)

// Configuration files inside the machine.
const (
	containerdConfig  = "/etc/containerd/config.toml"
	baseSpec          = "/etc/containerd/base-spec.json"
	networkConfig     = "/etc/cni/net.d/10-lab.conflist"
	kubeletConfig     = "/etc/kubernetes/kubelet.yaml"
	kubeletKubeconfig = "/etc/kubernetes/kubelet.kubeconfig"
	proxyConfig       = "/etc/kubernetes/kube-proxy.yaml"
	proxyKubeconfig   = "/etc/kubernetes/kube-proxy.kubeconfig"
	certificates      = "/etc/kubernetes/pki"
)

//go:embed files
var templates embed.FS

// file is one file of the machine.
type file struct {
	path string
	data []byte
}

func (f file) write() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(f.path, f.data, 0o600)
}

// files are all configuration files of the node: the rendered ones, and what the region's authority issued to it.
func (n Node) files() ([]file, error) {
	values := map[string]any{
		"Node": n.self, "Region": n.region, "Profile": n.lab.Profile, "PodRange": n.lab.Pods(), "Pause": image.Pause,
		"BaseSpec": baseSpec, "Certificates": certificates, "ProxyKubeconfig": proxyKubeconfig, "CgroupV1": !cgroup.Unified(),
	}
	var files []file
	for name, path := range map[string]string{
		"containerd.toml": containerdConfig, "network.conflist": networkConfig, "kubelet.yaml": kubeletConfig, "kube-proxy.yaml": proxyConfig,
	} {
		data, err := render(name, values)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: path, data: data})
	}
	issued := n.folder.Authority(n.region.Name)
	kubelet := authority.Kubelet(n.self.Name)
	for from, path := range map[string]string{
		kubelet + ".kubeconfig":         kubeletKubeconfig,
		authority.Proxy + ".kubeconfig": proxyKubeconfig,
		authority.CA + ".crt":           filepath.Join(certificates, "ca.crt"),
		kubelet + ".crt":                filepath.Join(certificates, "kubelet.crt"),
		kubelet + ".key":                filepath.Join(certificates, "kubelet.key"),
	} {
		data, err := os.ReadFile(filepath.Join(issued, from))
		if err != nil {
			return nil, fmt.Errorf("read what %s was issued: %w", n.self.Name, err)
		}
		files = append(files, file{path: path, data: data})
	}
	return files, nil
}

func render(name string, values any) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(templates, "files/"+name)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := parsed.Execute(&buffer, values); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return buffer.Bytes(), nil
}
