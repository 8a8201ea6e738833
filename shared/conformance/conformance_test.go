package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestReferenceSync and TestReferenceAsync show that the suite accepts what keeps the contract, in both of its readings.
func TestReferenceSync(t *testing.T) {
	Run(t, startReference(t, SyncFeatures(), defect(os.Getenv("CONFORMANCE_DEFECT"))))
}

func TestReferenceAsync(t *testing.T) {
	Run(t, startReference(t, AsyncFeatures(300*time.Millisecond), ""))
}

// TestSuiteNoticesDefects shows that the suite refuses what breaks the contract: each defect turns the named checks red. It runs
// this test program again, because a failing check fails its test.
func TestSuiteNoticesDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("starts this program eight times")
	}
	for d, red := range map[defect]string{
		forgetsRequests:  "CreatePost/same_request_id_twice_is_one_write",
		showsRejected:    "CreateComment/blocked_word_becomes_REJECTED_and_is_kept",
		keepsComments:    "DeletePost/takes_the_post_away",
		storesBadInput:   "CreatePost/stores_nothing_of_bad_input",
		doublesLastEntry: "ListPosts/pages$",
		countsTwice:      "Subscribe/counts_each_follower_once",
		takesLongTitles:  "CreatePost/names_each_bad_field",
		blocksPrefixes:   "ReviewComment/approves_or_rejects_by_whole_words",
	} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "TestReferenceSync/"+red)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "without the defect the check must be green: %s", out)
			cmd = exec.Command(os.Args[0], "-test.run", "TestReferenceSync/"+red)
			cmd.Env = append(os.Environ(), "CONFORMANCE_DEFECT="+string(d))
			out, err = cmd.CombinedOutput()
			require.Error(t, err, "the suite did not notice: %s", out)
			require.Contains(t, string(out), "--- FAIL: TestReferenceSync/")
		})
	}
}

// TestTarget runs the suite against a stack that is running already. CONFORMANCE_TARGET is the stack's addresses and what it
// promises, for example
//
//	{"stack": "async", "unknown_post_after_ms": 30000, "addresses": {"posts": "127.0.0.1:7201", ...}}
func TestTarget(t *testing.T) {
	text := os.Getenv("CONFORMANCE_TARGET")
	if text == "" {
		t.Skip("set CONFORMANCE_TARGET to the addresses of a running stack")
	}
	var running struct {
		Stack              string
		UnknownPostAfterMs int64 `json:"unknown_post_after_ms"`
		Addresses          map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(text), &running))
	features := map[string]Features{
		"sync":  SyncFeatures(),
		"async": AsyncFeatures(time.Duration(running.UnknownPostAfterMs) * time.Millisecond),
	}
	require.Contains(t, features, running.Stack, "stack is sync or async")
	Run(t, Target{Addresses: running.Addresses, Features: features[running.Stack]})
}
