package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PointSecretParams names a Secret and the host that it should hold. Its value, which may hold a password, never leaves the
// activity.
type PointSecretParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
	Host      string `json:"host"`
}

// PointSecretResult says whether there was anything to do.
type PointSecretResult struct {
	Already bool `json:"already"`
}

// PointSecret writes a host into a Secret: in place of the whole value, or of the host in it when it is a URL, whose port, user and
// password stay. It is one conditional write; called twice it changes nothing. Errors: NotFound without the Secret or its key,
// Unexpected when the value is a URL that cannot be read, Conflict, Forbidden, Unreachable.
func (a *Activities) PointSecret(ctx context.Context, params PointSecretParams) (PointSecretResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return PointSecretResult{}, err
	}
	doing := fmt.Sprintf("write host %s into Secret %s/%s", params.Host, params.Namespace, params.Secret)
	secret, err := client.CoreV1().Secrets(params.Namespace).Get(ctx, params.Secret, metav1.GetOptions{})
	if err != nil {
		return PointSecretResult{}, Failure(doing, err)
	}
	value, found := secret.Data[params.Key]
	if !found {
		return PointSecretResult{}, failure.Permanent(failure.NotFound, "%s: it has no key %q; see redirect in the plan", doing, params.Key)
	}
	pointed, err := withHost(string(value), params.Host)
	if err != nil {
		return PointSecretResult{}, failure.Permanent(failure.Unexpected, "%s: %s", doing, err)
	}
	if pointed == string(value) {
		return PointSecretResult{Already: true}, nil
	}
	secret.Data[params.Key] = []byte(pointed)
	if _, err := client.CoreV1().Secrets(params.Namespace).Update(ctx, secret, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return PointSecretResult{}, Failure(doing, err)
	}
	return PointSecretResult{}, nil
}

// withHost replaces the host of a URL, or a host that stands alone. Its error shows nothing of the value.
func withHost(value, host string) (string, error) {
	if !strings.Contains(value, "://") {
		return host, nil
	}
	parsed, err := url.Parse(strings.TrimSpace(value))
	if err != nil || parsed.Host == "" {
		return "", errors.New("its value looks like a URL and is none that can be read")
	}
	port := parsed.Port()
	parsed.Host = host
	if port != "" {
		parsed.Host = net.JoinHostPort(host, port)
	}
	return parsed.String(), nil
}
