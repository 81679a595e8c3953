package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// sickness is what is wrong with a service on purpose. A bad rollout sets it in the environment.
type sickness string

// sickVariable has the sickness that a service is born with.
const sickVariable = "SHODO_SICK"

const (
	well       sickness = ""
	crashes    sickness = "crash"       // ends with an error as soon as it starts
	neverReady sickness = "never-ready" // answers 503 to everything, as one that waits for something for ever
	hangs      sickness = "hang"        // takes every request and answers none
	errs       sickness = "500"         // lives, and answers 500
	liesBody   sickness = "wrong-body"  // lives, and answers 200 with a body that no healthy service has
)

// alivePath only says that the process lives.
const alivePath = "/alive"

var errCrash = errors.New("crashes on purpose: " + sickVariable + "=" + string(crashes))

// parseSickness reads the value of the variable.
func parseSickness(value string) (sickness, error) {
	switch s := sickness(value); s {
	case well, crashes, neverReady, hangs, errs, liesBody:
		return s, nil
	default:
		return well, fmt.Errorf("%s=%s: want %s, %s, %s, %s or %s", sickVariable, value, crashes, neverReady, hangs, errs, liesBody)
	}
}

// patient answers as a handler does while it is well, and as its sickness wants otherwise.
type patient struct {
	handler http.Handler
	now     atomic.Pointer[sickness]
}

// newPatient has the sickness of the environment.
func newPatient(handler http.Handler) (*patient, error) {
	born, err := parseSickness(os.Getenv(sickVariable))
	if err != nil {
		return nil, err
	}
	if born == crashes {
		return nil, errCrash
	}
	p := &patient{handler: handler}
	p.now.Store(&born)
	return p, nil
}

// listen lets a signal make the process answer 500 until it is restarted, and another make it well again: a state that
// went wrong in memory, which no manifest shows.
func (p *patient) listen(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case got := <-signals:
				next := well
				if got == syscall.SIGUSR1 {
					next = errs
				}
				p.now.Store(&next)
			}
		}
	}()
}

func (p *patient) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	lives := request.URL.Path == alivePath
	switch now := *p.now.Load(); {
	case now == neverReady:
		fail(w, http.StatusServiceUnavailable, errors.New("not ready yet"))
	case now == hangs:
		<-request.Context().Done()
	case now == errs && !lives:
		fail(w, http.StatusInternalServerError, errors.New("something went wrong"))
	case now == liesBody && !lives:
		reply(w, http.StatusOK, map[string]string{"state": "confused"})
	default:
		p.handler.ServeHTTP(w, request)
	}
}
