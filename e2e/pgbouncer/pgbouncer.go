// Package pgbouncer puts PgBouncers between the lab's application and its database.
package pgbouncer

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
)

//go:embed manifest.yaml
var manifest string

// Redirect is the change of the plan by which the PgBouncers are told of a new primary.
var Redirect = estate.Changes{"startGate: true": `startGate: true
    redirect:
      by: pgbouncer
      pgbouncer: {name: pgbouncer, container: pgbouncer, configMap: pgbouncer, key: pgbouncer.ini, file: /run/bouncer/pgbouncer.ini, database: shodo, host: "{pod}"}`}

// instance is a server under the address that is its own.
type instance struct{ Name, Address string }

// Install starts the PgBouncers and lets the application connect to them. The estate must be as `lab reset` leaves it.
func Install(ctx context.Context, e estate.Estate) error {
	pod, err := e.Kubectl(ctx, "get", "statefulset", "postgres-primary", "-o",
		"jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.securityContext.runAsUser}")
	if err != nil {
		return err
	}
	image, user, _ := strings.Cut(pod, " ")
	var instances []instance
	for _, name := range []string{"postgres-primary-0", "postgres-replica-0", "postgres-replica-1", "postgres-replica-2"} {
		address, err := e.Kubectl(ctx, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
		if err != nil {
			return err
		}
		instances = append(instances, instance{name, address})
	}
	if err := apply(ctx, e, struct {
		Image, User string
		Instances   []instance
	}{image, user, instances}); err != nil {
		return err
	}
	if err := each(ctx, e, "rollout status deployment pgbouncer --timeout=60s"); err != nil {
		return err
	}
	address, err := e.Kubectl(ctx, "get", "service", "pgbouncer", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	return each(ctx, e, "create secret generic shodo-database --from-literal=host="+address, "rollout restart deployment shodo-backend",
		"rollout status deployment shodo-backend --timeout=60s")
}

func apply(ctx context.Context, e estate.Estate, values any) error {
	parsed, err := template.New("manifest").Parse(manifest)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, values); err != nil {
		return err
	}
	file, err := os.CreateTemp(e.Dir, "pgbouncer-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text.Bytes())
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return each(ctx, e, "apply -f "+file.Name())
}

// Remove lets the application connect by itself again.
func Remove(ctx context.Context, e estate.Estate) error {
	return each(ctx, e, "delete secret shodo-database --ignore-not-found", "rollout restart deployment shodo-backend",
		"rollout status deployment shodo-backend --timeout=60s", "delete deployment,service,configmap pgbouncer --ignore-not-found")
}

func each(ctx context.Context, e estate.Estate, commands ...string) error {
	for _, command := range commands {
		if _, err := e.Kubectl(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}
