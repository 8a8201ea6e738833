//go:build !linux

package cluster

import "errors"

var errNoLimits = errors.New("only Linux lets one process limit the files of another: run this fault there")

func forbidGrowth(int) error { return errNoLimits }

func allowGrowth(int) error { return errNoLimits }
