package temporalclient

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// Missing lists those of the search attributes that a namespace does not know yet. Without them a run cannot begin.
func Missing(ctx context.Context, connection client.Client, namespace string, wanted []temporal.SearchAttributeKey) ([]temporal.SearchAttributeKey, error) {
	known, err := connection.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %s: %w", namespace, err)
	}
	var missing []temporal.SearchAttributeKey
	for _, key := range wanted {
		kind, found := known.GetCustomAttributes()[key.GetName()]
		switch {
		case !found:
			missing = append(missing, key)
		case kind != key.GetValueType():
			return nil, fmt.Errorf("search attribute %s of namespace %s is of type %s, and Fukkyu needs %s; rename it", key.GetName(), namespace, kind, key.GetValueType())
		}
	}
	return missing, nil
}

// Add teaches a namespace search attributes that it does not know.
func Add(ctx context.Context, connection client.Client, namespace string, missing []temporal.SearchAttributeKey) error {
	request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: map[string]enums.IndexedValueType{}}
	for _, key := range missing {
		request.SearchAttributes[key.GetName()] = key.GetValueType()
	}
	if _, err := connection.OperatorService().AddSearchAttributes(ctx, request); err != nil {
		return fmt.Errorf("add search attributes to namespace %s: %w", namespace, err)
	}
	return nil
}

// Attribute is the value of a search attribute of a run, zero when the run has none that can be read.
func Attribute[T any](info *workflowpb.WorkflowExecutionInfo, key temporal.SearchAttributeKey) T {
	var value, none T
	payload, found := info.GetSearchAttributes().GetIndexedFields()[key.GetName()]
	if !found {
		return none
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err != nil {
		return none // not one of ours
	}
	return value
}
