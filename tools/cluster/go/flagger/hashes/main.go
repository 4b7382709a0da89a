// Prints what is needed to compute the revision hashes of upstream Flagger elsewhere: the Go types
// of pod templates and Services as JSON. Structs are lists of Go name, JSON name and type; other
// named types are what they stand for. `go run ./hashes > .../targets/upstream_types.json`
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Written by code of their own, in the reader of this table; or never present in a template.
var special = map[string]bool{
	"intstr.IntOrString":    true,
	"resource.Quantity":     true,
	"v1.ManagedFieldsEntry": true,
	"v1.Time":               true,
}

var (
	types = map[string]any{}
	seen  = map[string]reflect.Type{}
)

func add(kind reflect.Type) {
	name := kind.String()
	if special[name] {
		return
	}
	if before, known := seen[name]; known {
		if before != kind {
			panic(fmt.Sprintf("two types are called %s", name))
		}
		return
	}
	seen[name] = kind
	switch kind.Kind() {
	case reflect.Struct:
		fields := [][3]string{}
		for index := range kind.NumField() {
			field := kind.Field(index)
			label, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, [3]string{field.Name, label, field.Type.String()})
			add(field.Type)
		}
		types[name] = fields
	case reflect.Pointer, reflect.Slice:
		add(kind.Elem())
	case reflect.Map:
		add(kind.Key())
		add(kind.Elem())
		if kind.Name() != "" {
			types[name] = fmt.Sprintf("map[%s]%s", kind.Key(), kind.Elem())
		}
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64:
		if name != kind.Kind().String() {
			types[name] = kind.Kind().String()
		}
	default:
		panic(fmt.Sprintf("%s is a %s", name, kind.Kind()))
	}
}

func main() {
	add(reflect.TypeFor[corev1.PodTemplateSpec]())
	add(reflect.TypeFor[corev1.ServiceSpec]())
	before := "{"
	for _, name := range slices.Sorted(maps.Keys(types)) {
		declared, err := json.Marshal(types[name])
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n %q: %s", before, name, declared)
		before = ","
	}
	fmt.Print("\n}\n")
}
