package load

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadMix(t *testing.T) {
	want := []Share{{GetPostPage, 9}, {CreateComment, 0.5}}
	for name, text := range map[string]string{
		"yaml":      "# what a blog gets\n- op: GetPostPage\n  share: 9\n- {share: 0.5, op: CreateComment}\n",
		"json":      `[{"op": "GetPostPage", "share": 9}, {"op": "CreateComment", "share": 0.5}]`,
		"no_spaces": "- op: GetPostPage\n  share: 9.0\n- op: CreateComment\n  share: 5e-1",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mix")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			mix, err := ReadMix(path)
			require.NoError(t, err)
			require.Equal(t, want, mix)
		})
	}
}

// TestTheMixOfResultsCanBeReadAgain: a mix may be cut out of results.json.
func TestTheMixOfResultsCanBeReadAgain(t *testing.T) {
	text, err := json.MarshalIndent(DefaultMix(), "", "  ")
	require.NoError(t, err)
	mix, err := parseMix("results", text)
	require.NoError(t, err)
	require.Equal(t, DefaultMix(), mix)
}

func TestMixIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "mix.yaml:1: it is empty"},
		"comment_only":      {"# nothing\n", "mix.yaml:1: it is empty"},
		"null":              {"null\n", "mix.yaml:1: a mix is a list"},
		"no_list":           {"GetPost: 1\n", "mix.yaml:1: a mix is a list"},
		"empty_list":        {"[]", "mix.yaml:1: mix: the shares must have a sum above 0"},
		"all_zero":          {"- {op: GetPost, share: 0}", "sum above 0"},
		"broken":            {"- op: [\n", "mix.yaml: yaml: line"},
		"unknown_operation": {"- {op: GetPost, share: 1}\n- {op: Frob, share: 1}\n", `mix.yaml:2: unknown operation "Frob": use CreateComment, CreatePost`},
		"unknown_key":       {"- op: GetPost\n  share: 1\n- op: GetPost\n  shares: 2\n", `mix.yaml:3: unknown or repeated key "shares"`},
		"repeated_key":      {"- {op: GetPost, op: GetPost, share: 1}", `mix.yaml:1: unknown or repeated key "op"`},
		"missing_share":     {"- op: GetPost\n", "mix.yaml:1: an operation without share"},
		"missing_op":        {"- share: 3\n", "mix.yaml:1: an operation without op"},
		"negative":          {"\n- {op: GetPost, share: -1}", "mix.yaml:2: share -1 of GetPost: use a number of 0 or more"},
		"not_a_number":      {"- {op: GetPost, share: .nan}", "share NaN of GetPost"},
		"infinite":          {"- {op: GetPost, share: .inf}", "share +Inf of GetPost"},
		"a_word":            {"- {op: GetPost, share: many}", `share: "many" will not do`},
		"a_null":            {"- {op: GetPost, share: }", `share: "" will not do`},
		"a_list":            {"- {op: [GetPost], share: 1}", `op: "" will not do`},
		"an_alias":          {"- {op: &x GetPost, share: 1}\n- {op: *x, share: 1}\n", `mix.yaml:2: op: "x" will not do`},
		"twice":             {"- {op: GetPost, share: 1}\n- {op: GetPost, share: 1}\n", "mix.yaml:2: GetPost comes twice"},
		"two_documents":     {"- {op: GetPost, share: 1}\n---\n- {op: GetPost, share: 1}\n", "something follows after the list"},
		"too_much":          {"- {op: GetPost, share: 1e308}\n- {op: ListFeed, share: 1e308}\n", "sum above 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseMix("mix.yaml", []byte(c.text))
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := ReadMix(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzMix: a text is a mix that a schedule can be drawn from, or an error; never a panic.
func FuzzMix(f *testing.F) {
	for _, text := range []string{"", "- {op: GetPost, share: 1}", "[]", "a: &a [*a]", "- op: GetPost\n  share: 0x1p-2", "\xff\xfe-", "- - - -"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		mix, err := parseMix("mix", text)
		if err == nil {
			require.NoError(t, CheckMix(mix))
			return
		}
		require.Nil(t, mix)
	})
}
