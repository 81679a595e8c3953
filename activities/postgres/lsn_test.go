package postgres

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLSN_ReadsAndWritesPostgreSQLsNotation(t *testing.T) {
	tests := map[string]LSN{"0/0": 0, "0/5000148": 0x5000148, "16/B374D848": 0x16B374D848, "FFFFFFFF/FFFFFFFF": 1<<64 - 1}
	for text, want := range tests {
		parsed, err := ParseLSN(text)
		require.NoError(t, err)
		require.Equal(t, want, parsed)
		require.Equal(t, text, parsed.String())
	}
	for _, text := range []string{"", "5000148", "0/", "/1", "0/1/2", "0/XYZ", "1FFFFFFFF/0", "-1/0"} {
		_, err := ParseLSN(text)
		require.Error(t, err, text)
	}
}

func TestLSN_InJSON_IsTheTextThatPeopleKnow(t *testing.T) {
	written, err := json.Marshal(Fork{Timeline: 1, At: 0x5000148})
	require.NoError(t, err)
	require.JSONEq(t, `{"timeline": 1, "at": "0/5000148"}`, string(written))
	var read Fork
	require.NoError(t, json.Unmarshal(written, &read))
	require.Equal(t, Fork{Timeline: 1, At: 0x5000148}, read)
	require.Error(t, json.Unmarshal([]byte(`{"timeline": 1, "at": "soon"}`), &read))
}

func TestParseHistory_ReadsForksAndRefusesWhatItDoesNotKnow(t *testing.T) {
	forks, err := parseHistory("1\t0/5000148\tno recovery target specified\n\n# a remark\n2\t16/B374D848\tbefore 2026-01-01 03:00:00+00\n")
	require.NoError(t, err)
	require.Equal(t, []Fork{{Timeline: 1, At: 0x5000148}, {Timeline: 2, At: 0x16B374D848}}, forks)
	for _, content := range []string{"one\t0/1\t", "1\tsomewhere\t"} {
		_, err := parseHistory(content)
		require.ErrorContains(t, err, "timeline history line")
	}
}
