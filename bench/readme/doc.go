// Package readme holds the tests that keep the README and the walkthroughs true. Those with the build tag readme run every command
// block against the real thing, in a fresh clone; they take minutes and need the lab's own ports: go test -tags readme ./bench/readme.
package readme
