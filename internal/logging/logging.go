// Package logging makes the one logger of a program: JSON for machines, readable lines on a terminal.
package logging

import (
	"fmt"
	"log/slog"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"golang.org/x/term"
)

// New returns the logger, and the function that writes out what it still holds.
func New() (*slog.Logger, func(), error) {
	config := zap.NewProductionConfig()
	if term.IsTerminal(int(os.Stderr.Fd())) {
		config = zap.NewDevelopmentConfig()
		config.Level = zap.NewAtomicLevelAt(zap.InfoLevel)
		config.DisableStacktrace = true
	}
	config.Sampling = nil // during a recovery every line may be the one that matters
	logger, err := config.Build()
	if err != nil {
		return nil, nil, fmt.Errorf("make the logger: %w", err)
	}
	flush := func() { _ = logger.Sync() } // a terminal cannot be synced and says so
	return slog.New(zapslog.NewHandler(logger.Core())), flush, nil
}
