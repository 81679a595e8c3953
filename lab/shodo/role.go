package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Where Kubernetes puts what a pod needs to ask the API server.
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// askTimeout bounds one question; the gate asks again until it is answered.
const askTimeout = 2 * time.Second

// role is the object that the gate obeys.
type role struct {
	primary string
	epoch   int64
}

// roleObject asks the API server for the role object.
type roleObject struct {
	client *http.Client
	url    string
}

func newRoleObject(namespace, name string) (*roleObject, error) {
	ca, err := os.ReadFile(filepath.Join(accountFolder, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &roleObject{
		client: &http.Client{Timeout: askTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}},
		url:    fmt.Sprintf("https://%s/api/v1/namespaces/%s/configmaps/%s", server, namespace, name),
	}, nil
}

// read asks once.
func (r *roleObject) read(ctx context.Context) (role, error) {
	token, err := os.ReadFile(filepath.Join(accountFolder, "token"))
	if err != nil {
		return role{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return role{}, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := r.client.Do(request)
	if err != nil {
		return role{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return role{}, fmt.Errorf("the API server answers %s: %s", response.Status, body)
	}
	var object struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return role{}, err
	}
	epoch, err := strconv.ParseInt(object.Data["epoch"], 10, 64)
	if err != nil {
		return role{}, fmt.Errorf("its epoch is no number: %w", err)
	}
	return role{primary: object.Data["primary"], epoch: epoch}, nil
}
