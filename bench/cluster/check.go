package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// checkBinaries names every binary that is not there, or cannot make the mistake that is asked of it.
func checkBinaries(cfg Config, parts []*part) error {
	var missing []string
	for _, p := range parts {
		info, err := os.Stat(p.binary)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, filepath.Base(p.binary))
		}
	}
	if cfg.Mistake != "" {
		return checkLab(parts, missing)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("no %s in %s: run `make build`, or give the folder that has it with --bin",
		strings.Join(missing, ", "), filepath.Dir(parts[0].binary))
}

// checkPorts names every address that another program has, and says how to get it back.
func checkPorts(parts []*part) error {
	var taken []string
	ours := false
	for _, p := range parts {
		listener, err := net.Listen("tcp", p.address)
		switch {
		case err == nil:
			listener.Close()
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, fmt.Sprintf("%s (%s)", p.address, p.name))
			ours = ours || heldByTandem(p)
		default:
			return fmt.Errorf("listen on %s for %s: %w", p.address, p.name, err)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	advice := "stop the program that has it (`ss -ltnp` or `lsof -nP -iTCP -sTCP:LISTEN` names it)"
	if ours {
		advice = "a `tandem up` seems to have it: run `tandem down`"
	}
	return fmt.Errorf("%w: %s: %s", ErrPortInUse, strings.Join(taken, ", "), advice)
}

// heldByTandem asks whoever has the address of a part whether it is such a part.
func heldByTandem(p *part) bool {
	if p.declares == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return checkHealth(ctx, p.address, p.declares) == nil
}
