//go:build !lab

package mutant

// On tells whether the program is to make a mistake: never.
func On(Name) bool { return false }
