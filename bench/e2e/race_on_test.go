//go:build race

package e2e

// raceEnabled tells whether the test binary looks for data races; then the services do too.
const raceEnabled = true
