//go:build lab

package mutant

import "os"

// On tells whether the program is to make a mistake.
//
//go:noinline
func On(name Name) bool { return os.Getenv(Variable) == string(name) }
