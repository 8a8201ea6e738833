package cluster

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Broker is the name of the part that only async has.
const Broker = "broker"

const host = "127.0.0.1"

// The addresses of the design: the services of a stack have the five ports from its first one on.
const (
	syncPort   = 7101
	asyncPort  = 7201
	brokerPort = 9092
)

// services are the parts that both stacks have, in the order of their ports.
func services() []string {
	return []string{"posts", "comments", "moderation", "subscriptions", "query"}
}

// part is one place in the stack that a process fills. Killed and started again, it keeps its name, address and data.
type part struct {
	name     string
	binary   string
	address  string
	dataDir  string
	logFile  string
	args     []string
	answers  probe
	declares string // the gRPC service that tells it from another program; "" for the broker

	op     sync.Mutex // held by Kill and Restart: one at a time
	twinOp sync.Mutex // held by StartTwin and StopTwin

	// Guarded by Cluster.mu.
	twin  *part         // the newest second process over the same data; nil before the first
	proc  *process      // the newest life, running or ended; nil before the first
	spent time.Duration // CPU time of the lives that are over
}

// running needs Cluster.mu.
func (p *part) running() bool { return p.proc != nil && !p.proc.ended }

// layOut gives each part of the stack its address, folders and flags, in the order of their start.
func layOut(cfg Config) ([]*part, error) {
	names := services()
	if cfg.Stack == Async {
		names = append([]string{Broker}, names...)
	}
	addresses, err := chooseAddresses(cfg, names)
	if err != nil {
		return nil, err
	}
	var parts []*part
	for _, name := range names {
		p, err := newPart(cfg, name, addresses)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func newPart(cfg Config, name string, addresses map[string]string) (*part, error) {
	p := &part{
		name:    name,
		binary:  filepath.Join(cfg.BinDir, cfg.Stack+"-"+name),
		address: addresses[name],
		dataDir: filepath.Join(cfg.Dir, "data", name),
		logFile: filepath.Join(cfg.Dir, "logs", name+".log"),
		answers: grpcServing,
	}
	p.args = []string{"--listen", p.address, "--data", p.dataDir, "--log-level", "info", "--stop-with-stdin"}
	if name == Broker {
		p.answers = kafkaAnswers
		return p, nil
	}
	flags, err := serviceFlags(cfg, name, addresses)
	if err != nil {
		return nil, err
	}
	p.declares = "blog.v1." + strings.ToUpper(name[:1]) + name[1:] + "Service"
	p.args = append(p.args, "--drain-timeout", cfg.DrainTimeout.String())
	p.args = append(p.args, flags...)
	if name == "comments" && cfg.Stack == Async && cfg.ReplyAfterVerdict {
		p.args = append(p.args, "--reply-after-verdict")
	}
	if name == "comments" && cfg.Stack == Async && cfg.UnknownPostAfter > 0 {
		p.args = append(p.args, "--unknown-post-after", cfg.UnknownPostAfter.String())
	}
	return p, nil
}

// serviceFlags are the flags that depend on the stack and the settings.
func serviceFlags(cfg Config, name string, addresses map[string]string) ([]string, error) {
	args := optional("--db-sync", cfg.DBSync)
	if cfg.LabFaults {
		args = append(args, "--lab-faults")
	}
	args = append(args, optional("--lab-narrow", cfg.Narrow[name])...)
	args = append(args, optional("--level", cfg.Level())...)
	if cfg.Stack == Sync {
		peers, err := cfg.peers(name, addresses)
		return append(args, "--peers", peers), err
	}
	broker := addresses[Broker]
	args = append(args, "--brokers", broker)
	via, err := cfg.via(name, Broker, broker)
	if via != broker {
		args = append(args, "--broker-via", broker+"="+via)
	}
	return append(args, optional("--acks", cfg.Acks)...), err
}

// via is where a part finds another one.
func (cfg Config) via(from, to, address string) (string, error) {
	if cfg.Via == nil {
		return address, nil
	}
	return cfg.Via(from, to, address)
}

func optional(flag, value string) []string {
	if value == "" {
		return nil
	}
	return []string{flag, value}
}

// peers names everyone that a sync service may call, as that service finds it. Nobody calls query.
func (cfg Config) peers(caller string, addresses map[string]string) (string, error) {
	var list []string
	for _, name := range services() {
		if name == "query" {
			continue
		}
		address, err := cfg.via(caller, name, addresses[name])
		if err != nil {
			return "", err
		}
		list = append(list, name+"="+address)
	}
	return strings.Join(list, ","), nil
}

func chooseAddresses(cfg Config, names []string) (map[string]string, error) {
	if cfg.FreePorts {
		return freeAddresses(cfg.Dir, names)
	}
	first := map[string]int{Sync: syncPort, Async: asyncPort}[cfg.Stack]
	addresses := map[string]string{Broker: fmt.Sprintf("%s:%d", host, brokerPort)}
	for i, name := range services() {
		addresses[name] = fmt.Sprintf("%s:%d", host, first+i)
	}
	return addresses, nil
}

// The ports that freeAddresses chooses from are below those that Linux and macOS hand to outgoing connections. Otherwise a
// client that keeps dialling a killed part could be given the part's own port, and hold it when the part comes back.
const (
	firstFreePort = 10_000
	freePorts     = 20_000
)

// freeAddresses walks from a port that depends on the process and the folder, so that clusters that start at the same time
// do not look at the same ports.
func freeAddresses(dir string, names []string) (map[string]string, error) {
	hash := fnv.New32a()
	fmt.Fprint(hash, os.Getpid(), dir)
	offset := int(hash.Sum32() % freePorts)
	addresses := make(map[string]string)
	for tried := 0; tried < freePorts && len(addresses) < len(names); tried++ {
		address := fmt.Sprintf("%s:%d", host, firstFreePort+(offset+tried)%freePorts)
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			addresses[names[len(addresses)]] = address
		}
	}
	if len(addresses) < len(names) {
		return nil, fmt.Errorf("no %d free ports from %d to %d on %s: stop some programs", len(names), firstFreePort,
			firstFreePort+freePorts-1, host)
	}
	return addresses, nil
}
