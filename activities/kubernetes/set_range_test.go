package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSetWith_UndoesWhatHoldingDownDoes(t *testing.T) {
	for name, c := range map[string]struct {
		before  Set
		ordinal int32
	}{
		"the only one":                {Set{Replicas: 1}, 0},
		"the only one, not from 0 on": {Set{Start: 2, Replicas: 1}, 2},
		"the last":                    {Set{Replicas: 3}, 2},
		"the first":                   {Set{Replicas: 3}, 0},
		"the first of a moved range":  {Set{Start: 4, Replicas: 2}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			held, whyNot := c.before.span().without(c.ordinal)
			require.Empty(t, whyNot)
			again, err := Set{Start: held.start, Replicas: held.replicas}.With(c.ordinal)
			require.NoError(t, err)
			require.Equal(t, c.before, again)
		})
	}
}

func TestSetWith_AnOrdinalThatWasNotHeldDown_IsAnError(t *testing.T) {
	for _, ordinal := range []int32{1, 3, 6} { // in the range, and too far from it
		_, err := Set{Name: "s", Start: 1, Replicas: 1}.With(ordinal)
		require.Error(t, err)
	}
	_, err := Set{Name: "s", Start: 1, Replicas: 0}.With(0)
	require.Error(t, err, "holding the only one down never moves the start")
}

func TestSetOf_ReadsAPodsName(t *testing.T) {
	set, ordinal := SetOf("postgres-replica-12")
	require.Equal(t, "postgres-replica", set)
	require.Equal(t, int32(12), ordinal)
}
