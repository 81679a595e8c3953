package authority_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

func issued(t *testing.T) (string, topology.Region) {
	t.Helper()
	lab, err := topology.New(topology.DefaultNetwork, topology.Profiles()[0])
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, authority.Ensure(folder, lab.Regions[0]))
	return folder, lab.Regions[0]
}

func TestEnsure_IssuesCertificatesThatKubernetesReadsAsTheirHolders(t *testing.T) {
	folder, region := issued(t)
	ca, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	for _, holder := range authority.Holders(region) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(folder, holder.File+".crt"), filepath.Join(folder, holder.File+".key"))
		require.NoError(t, err, holder.File)
		require.Equal(t, holder.Name, pair.Leaf.Subject.CommonName)
		require.Equal(t, holder.Groups, pair.Leaf.Subject.Organization)
		_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		require.NoError(t, err)
		_, serves := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		require.Equal(t, holder.Serves(), serves == nil, "only who has an address or a name may serve: %s", holder.Name)
	}
	server, err := tls.LoadX509KeyPair(filepath.Join(folder, "kube-apiserver.crt"), filepath.Join(folder, "kube-apiserver.key"))
	require.NoError(t, err)
	require.NoError(t, server.Leaf.VerifyHostname("10.77.1.10"))
	require.NoError(t, server.Leaf.VerifyHostname("10.79.1.1"), "pods reach the API server at the first Service address")
	require.NoError(t, server.Leaf.VerifyHostname("kubernetes.default.svc"))
}

func TestEnsure_IssuesOnce(t *testing.T) {
	folder, region := issued(t)
	before, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	require.NoError(t, err)
	require.NoError(t, authority.Ensure(folder, region))
	after, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestEnsure_KeysAreForTheOwnerOnly(t *testing.T) {
	folder, _ := issued(t)
	keys, err := filepath.Glob(filepath.Join(folder, "*.key"))
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		info, err := os.Stat(key)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), key)
	}
}

func TestKubeconfig_HasAContextNamedLikeTheRegionAndNeedsNoOtherFile(t *testing.T) {
	folder, region := issued(t)
	data, err := authority.Kubeconfig(authority.Admin, []topology.Region{region}, func(topology.Region) string { return folder })
	require.NoError(t, err)
	var config struct {
		CurrentContext string `json:"current-context"`
		Clusters       []struct {
			Cluster struct {
				Server string
				CA     string `json:"certificate-authority-data"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &config))
	require.Equal(t, "ap-northeast-1", config.CurrentContext)
	require.Equal(t, "https://10.77.1.10:6443", config.Clusters[0].Cluster.Server)
	ca, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
	require.NoError(t, err)
	require.Contains(t, string(ca), "BEGIN CERTIFICATE")
}
