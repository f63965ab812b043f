// Validates objects as the API server does on creation: OpenAPI schema, list types and CEL rules of
// their CustomResourceDefinition, by the API server's own library. Standard input holds
// {"definitions": [...], "objects": [...]}, standard output gets a list of messages for each object.
// The rules run even if the schema has found an error after which the API server would stop.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

type request struct {
	Definitions []apiextensionsv1.CustomResourceDefinition `json:"definitions"`
	Objects     []json.RawMessage                          `json:"objects"`
}

type validator struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

func main() {
	var asked request
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	validators := map[string]validator{}
	for _, definition := range asked.Definitions {
		validators[definition.Spec.Names.Kind] = validatorOf(definition)
	}
	answers := make([][]string, 0, len(asked.Objects))
	for _, text := range asked.Objects {
		var object map[string]any
		must(utiljson.Unmarshal(text, &object))
		answers = append(answers, validators[object["kind"].(string)].messages(object))
	}
	must(json.NewEncoder(os.Stdout).Encode(answers))
}

func validatorOf(definition apiextensionsv1.CustomResourceDefinition) validator {
	var props apiextensions.JSONSchemaProps
	v1 := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	must(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, &props, nil))
	structural, err := schema.NewStructural(&props)
	must(err)
	openAPI, _, err := validation.NewSchemaValidator(&props)
	must(err)
	return validator{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// The same calls as in pkg/registry/customresource/strategy.go.
func (v validator) messages(object map[string]any) []string {
	defaulting.Default(object, v.structural)
	errs := validation.ValidateCustomResource(nil, object, v.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, v.structural, object)...)
	broken, _ := v.rules.Validate(
		context.Background(), nil, v.structural, object, nil, celconfig.RuntimeCELCostBudget)
	messages := []string{}
	for _, err := range append(errs, broken...) {
		messages = append(messages, err.Error())
	}
	return messages
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
