package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a file, and where.
type Error struct {
	File    string
	Line    int // from 1, 0 when the place is not known
	Column  int
	Path    string // for example databases[0].canary.service
	Message string
}

// Error is the place, the path and what is wrong, in one line.
func (e Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Path == "" {
		return fmt.Sprintf("%s: %s", place, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", place, e.Path, e.Message)
}

// Errors is everything that is wrong with a file, in the file's order.
type Errors []Error

// Error has one line for each of them.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// orNil sorts the errors by their place; none at all is no error.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
