package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// operations are the names of all operations that a mix may hold, in alphabetical order.
func operations() (names []string) {
	for name := range needs() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// check returns what is wrong with one share, or nil.
func (s Share) check() error {
	switch {
	case !slices.Contains(operations(), s.Op):
		return fmt.Errorf("unknown operation %q: use %s", s.Op, strings.Join(operations(), ", "))
	case !(s.Share >= 0) || math.IsInf(s.Share, 0): // NaN too
		return fmt.Errorf("share %v of %s: use a number of 0 or more", s.Share, s.Op)
	}
	return nil
}

// CheckMix returns what is wrong with a mix, or nil.
func CheckMix(mix []Share) error {
	total, seen := 0.0, map[string]bool{}
	for _, s := range mix {
		if err := s.check(); err != nil {
			return fmt.Errorf("mix: %w", err)
		}
		if seen[s.Op] {
			return fmt.Errorf("mix: %s comes twice: give it one share", s.Op)
		}
		seen[s.Op] = true
		total += s.Share
	}
	if total == 0 || math.IsInf(total, 0) {
		return errors.New("mix: the shares must have a sum above 0: give at least one operation a share")
	}
	return nil
}

// ReadMix reads a mix from a file of YAML or JSON: a list of operations with their shares, which are relative to each other.
//
//   - op: GetPostPage
//     share: 9
//   - op: CreateComment
//     share: 1
//
// It is strict: whatever it does not know is an error that names the file and the line.
func ReadMix(path string) ([]Share, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the mix: %w", err)
	}
	return parseMix(path, text)
}

// parseMix reads the text of a mix. path is for errors.
func parseMix(path string, text []byte) ([]Share, error) {
	document := yaml.NewDecoder(bytes.NewReader(text))
	var list yaml.Node
	if err := document.Decode(&list); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: it is empty: list operations, each as op and share", path)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err) // says the line itself
	}
	if err := document.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: something follows after the list: write one list and nothing else", path)
	}
	mix, err := sharesOf(path, list.Content[0])
	if err != nil {
		return nil, err
	}
	if err := CheckMix(mix); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, list.Content[0].Line, err)
	}
	return mix, nil
}

func sharesOf(path string, list *yaml.Node) (mix []Share, err error) {
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s:%d: a mix is a list: begin each operation with \"- op: NAME\"", path, list.Line)
	}
	for _, entry := range list.Content {
		s, err := shareOf(entry)
		if err == nil {
			err = s.check()
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, entry.Line, err)
		}
		if slices.ContainsFunc(mix, func(other Share) bool { return other.Op == s.Op }) {
			return nil, fmt.Errorf("%s:%d: %s comes twice: give it one share", path, entry.Line, s.Op)
		}
		mix = append(mix, s)
	}
	return mix, nil
}

// shareOf reads one entry: a mapping with the keys op and share, each once.
func shareOf(entry *yaml.Node) (s Share, err error) {
	if entry.Kind != yaml.MappingNode {
		return s, errors.New("an operation is written as op and share")
	}
	fields := map[string]any{"op": &s.Op, "share": &s.Share}
	for i := 0; i+1 < len(entry.Content); i += 2 {
		key, value := entry.Content[i], entry.Content[i+1]
		field, known := fields[key.Value]
		if !known {
			return s, fmt.Errorf("unknown or repeated key %q: use op and share, each once", key.Value)
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" || value.Decode(field) != nil {
			return s, fmt.Errorf("%s: %q will not do: use a name for op and a number for share", key.Value, value.Value)
		}
		delete(fields, key.Value)
	}
	for missing := range fields {
		return s, fmt.Errorf("an operation without %s: write both op and share", missing)
	}
	return s, nil
}
