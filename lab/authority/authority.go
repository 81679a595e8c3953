// Package authority is the certificate authority of one region: it issues what the control plane and its nodes prove
// themselves with, and the kubeconfig files that carry it.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// validity of everything issued: longer than any lab lives, and begun an hour ago for clocks that differ.
const (
	validity = 365 * 24 * time.Hour
	backdate = time.Hour
)

// Holder is who a certificate is for. Kubernetes reads the user from the common name and the groups from the organizations.
type Holder struct {
	File      string // base name of the .crt and .key files
	Name      string
	Groups    []string
	Addresses []netip.Addr // the holder also serves at these
	DNS       []string     // and by these names
}

// Serves says whether the holder is asked by others, and not only asks them.
func (h Holder) Serves() bool { return len(h.Addresses)+len(h.DNS) > 0 }

// Names of the files the control plane and the kubeconfig files are made of.
const (
	CA             = "ca"
	APIServer      = "kube-apiserver"
	KubeletClient  = "kube-apiserver-kubelet-client"
	Admin          = "admin"
	Controllers    = "kube-controller-manager"
	Scheduler      = "kube-scheduler"
	Proxy          = "kube-proxy"
	Aggregator     = "front-proxy-client" // the API server, where it passes requests on
	Metrics        = "metrics"
	ServiceAccount = "service-account"
)

// Kubelet is the base name of the files of a node's kubelet.
func Kubelet(node string) string { return "kubelet-" + node }

// Holders are all who get a certificate in the region.
func Holders(region topology.Region) []Holder {
	holders := []Holder{
		{File: APIServer, Name: "kube-apiserver", Addresses: []netip.Addr{region.ControlPlane, region.Service(1), netip.MustParseAddr("127.0.0.1")},
			DNS: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		{File: KubeletClient, Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		{File: Admin, Name: "lab-admin", Groups: []string{"system:masters"}},
		{File: Controllers, Name: "system:kube-controller-manager"},
		{File: Scheduler, Name: "system:kube-scheduler"},
		{File: Proxy, Name: "system:kube-proxy"},
		{File: Aggregator, Name: Aggregator},
		{File: Metrics, Name: "metrics", DNS: []string{"metrics.kube-system.svc"}},
	}
	for _, node := range region.Nodes {
		holders = append(holders, Holder{File: Kubelet(node.Name), Name: "system:node:" + node.Name, Groups: []string{"system:nodes"},
			Addresses: []netip.Addr{node.Address}, DNS: []string{node.Name}})
	}
	return holders
}

// Ensure issues everything for the region into the folder, unless it was issued before.
func Ensure(folder string, region topology.Region) error {
	// The service account key is written last: where it is, everything is.
	_, err := os.Stat(filepath.Join(folder, ServiceAccount+".key"))
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	issuer, err := newIssuer(folder, region.Name)
	if err != nil {
		return fmt.Errorf("make the certificate authority of %s: %w", region.Name, err)
	}
	for _, holder := range Holders(region) {
		if err := issuer.issue(folder, holder); err != nil {
			return fmt.Errorf("issue the certificate of %s: %w", holder.Name, err)
		}
	}
	for _, file := range []string{Admin, Controllers, Scheduler, Proxy} {
		if err := WriteKubeconfig(folder, file, []topology.Region{region}, func(topology.Region) string { return folder }); err != nil {
			return err
		}
	}
	for _, node := range region.Nodes {
		if err := WriteKubeconfig(folder, Kubelet(node.Name), []topology.Region{region}, func(topology.Region) string { return folder }); err != nil {
			return err
		}
	}
	_, err = writeKey(folder, ServiceAccount)
	return err
}

type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(folder, region string) (issuer, error) {
	key, err := writeKey(folder, CA)
	if err != nil {
		return issuer{}, err
	}
	template, err := template(pkix.Name{CommonName: "lab " + region})
	if err != nil {
		return issuer{}, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return issuer{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return issuer{}, err
	}
	return issuer{certificate: certificate, key: key}, writePEM(folder, CA+".crt", "CERTIFICATE", der)
}

func (i issuer) issue(folder string, holder Holder) error {
	key, err := writeKey(folder, holder.File)
	if err != nil {
		return err
	}
	template, err := template(pkix.Name{CommonName: holder.Name, Organization: holder.Groups})
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if holder.Serves() {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = holder.DNS
		for _, address := range holder.Addresses {
			template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, key.Public(), i.key)
	if err != nil {
		return err
	}
	return writePEM(folder, holder.File+".crt", "CERTIFICATE", der)
}

func template(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-backdate), NotAfter: now.Add(validity)}, nil
}

func writeKey(folder, file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	// Not PKCS #8: the API server takes the public half of the service account key only out of this form.
	return key, writePEM(folder, file+".key", "EC PRIVATE KEY", der)
}

func writePEM(folder, file, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
