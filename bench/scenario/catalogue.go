package scenario

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed catalogue/*.yaml
var catalogue embed.FS

// Names are the scenarios of the catalogue, in the order in which they are taught: that of their files.
func Names() (names []string) {
	entries, err := catalogue.ReadDir("catalogue")
	if err != nil {
		return nil // the folder is part of the program
	}
	for _, e := range entries {
		names = append(names, nameOf(e.Name()))
	}
	return names
}

// nameOf is the name of a scenario in a file such as 010-leaf-down.yaml.
func nameOf(file string) string {
	_, name, _ := strings.Cut(strings.TrimSuffix(file, ".yaml"), "-")
	return name
}

// Source returns the text of a scenario of the catalogue, and the name of its file.
func Source(name string) (file string, text []byte, err error) {
	entries, err := catalogue.ReadDir("catalogue")
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		if nameOf(e.Name()) == name {
			text, err = catalogue.ReadFile(path.Join("catalogue", e.Name()))
			return e.Name(), text, err
		}
	}
	return "", nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", "))
}

// Find returns a scenario of the catalogue.
func Find(name string) (*Scenario, error) {
	file, text, err := Source(name)
	if err != nil {
		return nil, err
	}
	s, err := Parse(file, text)
	if err == nil && !slices.Contains(Names(), s.Name) {
		err = fmt.Errorf("%s: its name is %q, and the file says otherwise", file, s.Name)
	}
	return s, err
}
