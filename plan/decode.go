package plan

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document reads one YAML file into Go values. It goes on after an error, so that a person sees all of them at once, and
// remembers where every value stands, so that validation can say it too.
type document struct {
	file   string
	places map[string]*token.Position
	errors Errors
}

// decode reads data into the struct behind into. Unknown fields are errors.
func decode(file string, data []byte, into any) *document {
	d := &document{file: file, places: map[string]*token.Position{}}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		d.errors = append(d.errors, syntaxError(file, err))
		return d
	}
	var documents []ast.Node
	for _, part := range parsed.Docs {
		if part.Body != nil {
			documents = append(documents, part.Body)
		}
	}
	switch len(documents) {
	case 0:
		d.errors = append(d.errors, Error{File: file, Message: "the file is empty"})
	case 1:
		d.value(documents[0], reflect.ValueOf(into).Elem(), "")
	default:
		d.fail(documents[1], "", "a second YAML document; a file holds one")
	}
	return d
}

// syntaxError takes line and column out of the parser's own words.
func syntaxError(file string, err error) Error {
	text := err.Error()
	var line, column int
	if _, scanErr := fmt.Sscanf(text, "[%d:%d]", &line, &column); scanErr != nil {
		line, column = 0, 0 // the parser did not say where
	}
	message, _, _ := strings.Cut(text, "\n")
	if _, after, found := strings.Cut(message, "] "); found {
		message = after
	}
	return Error{File: file, Line: line, Column: column, Message: "not YAML: " + message}
}

func (d *document) fail(node ast.Node, path, format string, args ...any) {
	d.failAt(node.GetToken().Position, path, format, args...)
}

func (d *document) failAt(place *token.Position, path, format string, args ...any) {
	failure := Error{File: d.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if place != nil {
		failure.Line, failure.Column = place.Line, place.Column
	}
	d.errors = append(d.errors, failure)
}

// wrong reports a value that decoded but is not valid. A field that is missing is reported where its parent stands, one that
// could not be read is not reported again.
func (d *document) wrong(path, format string, args ...any) {
	if slices.ContainsFunc(d.errors, func(known Error) bool { return known.Path == path }) {
		return
	}
	d.failAt(d.placeOf(path), path, format, args...)
}

// placeOf is where a value stands, or the nearest that it would stand in; nil when nothing is known.
func (d *document) placeOf(path string) *token.Position {
	for at := path; ; at = parentOf(at) {
		if place, found := d.places[at]; found || at == "" {
			return place
		}
	}
}

func parentOf(path string) string {
	if cut := strings.LastIndexAny(path, ".["); cut >= 0 {
		return path[:cut]
	}
	return ""
}

var (
	durationType    = reflect.TypeFor[time.Duration]()
	textType        = reflect.TypeFor[Text]()
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value reads one node into a Go value of its kind.
func (d *document) value(node ast.Node, into reflect.Value, path string) {
	if _, known := d.places[path]; !known {
		d.places[path] = node.GetToken().Position
	}
	switch {
	case into.Type() == durationType:
		d.duration(node, into, path)
	case into.Addr().Type().Implements(unmarshalerType):
		d.written(node, into, path)
	case into.Type() == textType:
		d.text(node, into, path)
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(node, into.Elem(), path)
	case into.Kind() == reflect.Struct:
		d.structure(node, into, path)
	case into.Kind() == reflect.Slice:
		d.list(node, into, path)
	case into.Kind() == reflect.Map:
		d.mapping(node, into, path)
	default:
		d.scalar(node, into, path)
	}
}

func (d *document) structure(node ast.Node, into reflect.Value, path string) {
	fields := fieldsOf(into.Type())
	d.entries(node, path, func(key string, entry *ast.MappingValueNode) {
		index, known := fields.index[key]
		if !known {
			d.fail(entry.Key, join(path, key), "unknown field; the fields here are %s", strings.Join(fields.names, ", "))
			return
		}
		d.places[join(path, key)] = entry.Key.GetToken().Position
		d.value(entry.Value, into.Field(index), join(path, key))
	})
}

func (d *document) mapping(node ast.Node, into reflect.Value, path string) {
	into.Set(reflect.MakeMap(into.Type()))
	d.entries(node, path, func(key string, entry *ast.MappingValueNode) {
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(entry.Value, value, join(path, key))
		into.SetMapIndex(reflect.ValueOf(key), value)
	})
}

// entries visits every key of a mapping. That none is there twice, the parser has seen to.
func (d *document) entries(node ast.Node, path string, visit func(string, *ast.MappingValueNode)) {
	mapping, isMapping := node.(ast.MapNode)
	if !isMapping {
		d.fail(node, path, "%s, but fields are wanted", kindOf(node))
		return
	}
	for entries := mapping.MapRange(); entries.Next(); {
		entry := entries.KeyValue()
		visit(entry.Key.GetToken().Value, entry)
	}
}

func (d *document) list(node ast.Node, into reflect.Value, path string) {
	list, isList := node.(*ast.SequenceNode)
	if !isList {
		d.fail(node, path, "%s, but a list is wanted", kindOf(node))
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.value(item, into.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *document) duration(node ast.Node, into reflect.Value, path string) {
	text, isText := node.(*ast.StringNode)
	if !isText {
		d.fail(node, path, "%s is no duration; write it with its unit, for example 30m", kindOf(node))
		return
	}
	parsed, err := parseDuration(text.Value)
	if err != nil {
		d.fail(node, path, "%q is no duration; write for example 90s, 30m, 1h30m or 30d", text.Value)
		return
	}
	into.SetInt(int64(parsed))
}

// parseDuration reads a duration as Go writes it, or whole days of 24 hours as in 30d.
func parseDuration(text string) (time.Duration, error) {
	if days, inDays := strings.CutSuffix(text, "d"); inDays {
		number, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(number) * day, err
	}
	return time.ParseDuration(text)
}

const day = 24 * time.Hour

// written reads a value that knows how it is written.
func (d *document) written(node ast.Node, into reflect.Value, path string) {
	var text string
	errors := len(d.errors)
	d.scalar(node, reflect.ValueOf(&text).Elem(), path)
	if len(d.errors) > errors {
		return
	}
	if err := into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		d.fail(node, path, "%s", err)
	}
}

// text reads one text for every language, or one for each.
func (d *document) text(node ast.Node, into reflect.Value, path string) {
	if _, isMapping := node.(ast.MapNode); isMapping {
		d.structure(node, into, path)
		return
	}
	var text string
	d.scalar(node, reflect.ValueOf(&text).Elem(), path)
	into.Set(reflect.ValueOf(Said(text)))
}

func (d *document) scalar(node ast.Node, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.String:
		switch text := node.(type) {
		case *ast.StringNode:
			into.SetString(text.Value)
		case *ast.LiteralNode:
			into.SetString(text.Value.Value)
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			into.SetString(node.GetToken().Value) // a version 1.0 or an answer 0 need not be quoted
		default:
			d.fail(node, path, "%s, but text is wanted", kindOf(node))
		}
	case reflect.Bool:
		if flag, isBool := node.(*ast.BoolNode); isBool {
			into.SetBool(flag.Value)
			return
		}
		d.fail(node, path, "%s, but true or false is wanted", kindOf(node))
	default:
		number, err := strconv.ParseInt(node.GetToken().Value, 10, 64)
		if _, isNumber := node.(*ast.IntegerNode); !isNumber || err != nil {
			d.fail(node, path, "%s, but a whole number is wanted", kindOf(node))
			return
		}
		into.SetInt(number)
	}
}

// kindOf names a node in a person's words.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias, which is not read here"
	default:
		return fmt.Sprintf("%q", node.GetToken().Value)
	}
}

// fields are the YAML names of a struct's fields, in their order.
type fields struct {
	names []string
	index map[string]int
}

func fieldsOf(structure reflect.Type) fields {
	found := fields{index: map[string]int{}}
	for i := range structure.NumField() {
		name, _, _ := strings.Cut(structure.Field(i).Tag.Get("yaml"), ",")
		found.names = append(found.names, name)
		found.index[name] = i
	}
	return found
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
