package volume

import "context"

// TakeDataParams names the volume.
type TakeDataParams struct{ Place }

// TakeDataResult has no fields yet.
type TakeDataResult struct{}

// TakeData moves the data directory, by one rename, to where no server is ever started from. RestoreData puts it back. Called twice it
// changes nothing. Errors: Closed; Unexpected, for good, when there is none.
func (a *Activities) TakeData(ctx context.Context, params TakeDataParams) (TakeDataResult, error) {
	_, err := a.run(ctx, params.Place, "", "take")
	return TakeDataResult{}, err
}
