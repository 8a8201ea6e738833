// Package readme holds the test that runs every command block of the README against the real thing, in a fresh clone. It takes
// minutes and needs the lab's own ports, so it has a build tag: go test -tags readme ./bench/readme.
package readme
