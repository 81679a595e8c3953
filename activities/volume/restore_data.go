package volume

import "context"

// RestoreDataParams names the volume and the run.
type RestoreDataParams struct {
	Place
	Epoch int64 `json:"epoch"`
}

// RestoreDataResult has no fields yet.
type RestoreDataResult struct{}

// RestoreData undoes TakeData and whatever was done since, short of a rewind: a data directory that a rewind has touched is kept aside
// and never put back. What a server that ran in isolation has replayed stays replayed. Called twice it changes nothing. Error: Closed.
func (a *Activities) RestoreData(ctx context.Context, params RestoreDataParams) (RestoreDataResult, error) {
	_, err := a.run(ctx, params.Place, "", "restore", epochText(params.Epoch))
	return RestoreDataResult{}, err
}
