package volume

import (
	"context"
	"strconv"
)

// ReturnDataParams names the volume and the run.
type ReturnDataParams struct {
	Place
	Epoch   int64 `json:"epoch"`
	Rewound bool  `json:"rewound"` // else the data directory is kept aside, and a clone takes its place
}

// ReturnDataResult has no fields yet.
type ReturnDataResult struct{}

// ReturnData puts a data directory that was rewound where its server starts it, or keeps it aside for good. Either way the ledger is kept.
// Called twice it changes nothing. Errors: Closed; Unexpected, for good, when it was not rewound or another is there already.
func (a *Activities) ReturnData(ctx context.Context, params ReturnDataParams) (ReturnDataResult, error) {
	function := "set_aside"
	if params.Rewound {
		function = "give_back"
	}
	_, err := a.run(ctx, params.Place, "", function, epochText(params.Epoch))
	return ReturnDataResult{}, err
}

func epochText(epoch int64) string { return strconv.FormatInt(epoch, 10) }
