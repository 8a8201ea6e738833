// Package house holds the walls between the parts of the project: who may import whom, and why. The compiler holds some of
// them already (package main, internal/); this test holds the rest.
package house

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule forbids the packages under from to import, directly or through others of this module, the packages under to.
type rule struct{ from, to, why string }

func rules() []rule {
	return []rule{
		{"tandem/sync", "tandem/async", "each stack must stand alone, or the comparison compares a mixture"},
		{"tandem/async", "tandem/sync", "each stack must stand alone, or the comparison compares a mixture"},
		{"tandem/sync", "github.com/segmentio/kafka-go", "services of the sync stack know calls only"},
		{"tandem/sync", "github.com/twmb/franz-go", "services of the sync stack know calls only"},
		{"tandem/sync", "tandem/proto/event", "services of the sync stack know calls only"},
		{"tandem/async", "tandem/proto/peer", "what sync's services say to each other is nobody else's"},
		{"tandem/bench", "tandem/sync", "the laboratory sees services by their addresses only"},
		{"tandem/bench", "tandem/async", "the laboratory sees services by their addresses only"},
		{"tandem/bench/check", "tandem/bench/load", "a checker that knows the load would trust it; it judges the history alone"},
		{"tandem/bench/measure", "tandem/bench/load", "measures are computed from the history alone"},
		{"tandem/shared", "tandem/sync", "what both stacks share must not know which one it is in"},
		{"tandem/shared", "tandem/async", "what both stacks share must not know which one it is in"},
		{"tandem/shared", "tandem/bench", "services must not know the laboratory"},
		{"tandem/sync", "tandem/bench", "services must not know the laboratory"},
		{"tandem/async", "tandem/bench", "services must not know the laboratory"},
		{"tandem/proto", "tandem/shared", "the contract knows no implementation"},
		{"tandem/proto", "tandem/bench", "the contract knows no laboratory"},
	}
}

type pkg struct {
	ImportPath   string
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

func list(t *testing.T) (packages []pkg) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps,TestImports,XTestImports", "tandem/...").Output()
	require.NoError(t, err)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if err == io.EOF {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// broken returns what of a package's imports a rule forbids.
func (r rule) broken(p pkg) (bad []string) {
	if !under(p.ImportPath, r.from) {
		return nil
	}
	imports := append(append(p.Deps, p.TestImports...), p.XTestImports...)
	for _, imported := range imports {
		if under(imported, r.to) {
			bad = append(bad, imported)
		}
	}
	return bad
}

func TestWhoMayImportWhom(t *testing.T) {
	packages := list(t)
	for _, r := range rules() {
		t.Run(strings.TrimPrefix(r.from, "tandem/")+"_never_"+strings.ReplaceAll(r.to, "/", "_"), func(t *testing.T) {
			met := false
			for _, p := range packages {
				met = met || under(p.ImportPath, r.from)
				require.Empty(t, r.broken(p), "%s: %s", p.ImportPath, r.why)
			}
			require.True(t, met, "no package under %s: the rule holds nothing", r.from)
		})
	}
}

// TestServicesAreMainPackages: a main package cannot be imported, so no service can reach into another.
func TestServicesAreMainPackages(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Name}}", "tandem/sync/...", "tandem/async/...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		path, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.Contains(path, "/internal/") {
			require.Equal(t, "main", name, path)
		}
	}
}

// TestAsyncNeverDials: a service of the async stack serves gRPC and calls nobody.
func TestAsyncNeverDials(t *testing.T) {
	out, _ := exec.Command("grep", "-rnE", `grpc\.(NewClient|Dial)|service\.DialOptions|New[A-Za-z]+ServiceClient\(`,
		"--include=*.go", "--exclude=*_test.go", "../../async").Output()
	require.Empty(t, string(out))
}

func TestARuleCanBeBroken(t *testing.T) {
	r := rule{"tandem/sync", "tandem/async", ""}
	require.Equal(t, []string{"tandem/async/internal/bus"},
		r.broken(pkg{ImportPath: "tandem/sync/posts", Deps: []string{"fmt", "tandem/async/internal/bus"}}))
	require.Empty(t, r.broken(pkg{ImportPath: "tandem/syncopation", Deps: []string{"tandem/async/internal/bus"}}))
	require.Empty(t, r.broken(pkg{ImportPath: "tandem/sync/posts", Deps: []string{"tandem/asynchronous"}}))
}
