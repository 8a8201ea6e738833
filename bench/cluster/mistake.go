package cluster

import (
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"tandem/shared/mutant"
)

const (
	// NoMistake is the mistake of programs that could make one and make none: what stands beside a mistake must differ in nothing else.
	NoMistake = "none"
	// labFolder is where `make build-lab` puts programs, below the folder of those that `make build` made.
	labFolder = "lab"
	// labTag is the build tag with which programs have mistakes and crash points.
	labTag = "lab"
)

// MistakeOf is the mistake that a stack makes with this configuration: sync makes none of async's.
func (cfg Config) MistakeOf(stack string) string {
	if cfg.Mistake != "" && stack == Sync {
		return NoMistake
	}
	return cfg.Mistake
}

// withMistake has the configuration's mistake made.
func (cfg Config) withMistake() Config {
	if cfg.Mistake == "" {
		return cfg
	}
	cfg.BinDir = filepath.Join(cfg.BinDir, labFolder)
	if cfg.Mistake != NoMistake {
		cfg.Env = append(slices.Clone(cfg.Env), mutant.Variable+"="+cfg.Mistake)
	}
	return cfg
}

// checkLab refuses programs that cannot make mistakes: they would run as if nothing had been asked of them.
func checkLab(parts []*part, missing []string) error {
	wrong := missing
	for _, p := range parts {
		name := filepath.Base(p.binary)
		if slices.Contains(missing, name) {
			continue
		}
		info, err := buildinfo.ReadFile(p.binary)
		if err != nil || !hasTag(info, labTag) {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("no %s in %s that was built with the tag %s: run `make build-lab`", strings.Join(wrong, ", "),
		filepath.Dir(parts[0].binary), labTag)
}

func hasTag(info *debug.BuildInfo, tag string) bool {
	return slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "-tags" && slices.Contains(strings.Split(s.Value, ","), tag)
	})
}
