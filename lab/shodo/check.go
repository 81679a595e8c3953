package main

import (
	"context"
	"fmt"
	"net/http"
)

// check is `curl -sf URL` for images that have no curl: it fails when nobody answers, and on 400 and more. As curl does, it
// waits for an answer as long as it takes, and does not look at the body.
func check(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
