package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asBroker has the test's own program be the broker: the kernel limits processes, and this one must go on writing.
const asBroker = "TANDEM_TEST_BROKER"

func TestMain(m *testing.M) {
	if args := os.Getenv(asBroker); args != "" {
		if err := run(context.Background(), strings.Fields(args), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	bound = 20 * time.Second // for what takes that long only if it is broken
	topic = "t"
)

// process is a broker on a port of its own, that can be killed and started again over its log.
type process struct {
	t      *testing.T
	data   string
	port   int
	cmd    *exec.Cmd
	client *kafka.Client
}

func newProcess(t *testing.T) *process {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &process{t: t, data: t.TempDir(), port: listener.Addr().(*net.TCPAddr).Port}
	require.NoError(t, listener.Close())
	pool := &kafka.Transport{DialTimeout: time.Second, MetadataTTL: 100 * time.Millisecond}
	p.client = &kafka.Client{Addr: kafka.TCP(p.address()), Transport: pool}
	t.Cleanup(func() { p.kill(); pool.CloseIdleConnections() })
	p.start()
	require.Eventually(t, func() bool {
		_, err := p.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
			{Topic: topic, NumPartitions: 1, ReplicationFactor: 1},
		}})
		return err == nil
	}, bound, 10*time.Millisecond)
	return p
}

func (p *process) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

func (p *process) start() {
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=--listen %s --data %s", asBroker, p.address(), p.data))
	require.NoError(p.t, p.cmd.Start())
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	_ = p.cmd.Wait()
}

// limit sets how long the broker's files may become.
func (p *process) limit(bytes uint64) {
	require.NoError(p.t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil))
}

// longest is the size of the longest file of the log.
func (p *process) longest() (size uint64) {
	require.NoError(p.t, filepath.WalkDir(p.data, func(path string, entry os.DirEntry, err error) error {
		if info, statErr := os.Stat(path); err == nil && statErr == nil && !entry.IsDir() {
			size = max(size, uint64(info.Size()))
		}
		return err
	}))
	return size
}

func (p *process) produce(text string) error {
	response, err := p.client.Produce(p.t.Context(), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(text))}),
	})
	if err == nil {
		err = response.Error
	}
	return err
}

// holds is what the log holds, oldest first.
func (p *process) holds() (texts []string, err error) {
	for offset := int64(0); ; {
		response, err := p.client.Fetch(p.t.Context(), &kafka.FetchRequest{Topic: topic, Offset: offset, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 10 * time.Millisecond})
		if err == nil {
			err = response.Error
		}
		if err != nil {
			return nil, err
		}
		if offset >= response.HighWatermark {
			return texts, nil
		}
		for {
			record, err := response.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			text, err := kafka.ReadAll(record.Value)
			if err != nil {
				return nil, err
			}
			texts, offset = append(texts, string(text)), record.Offset+1
		}
	}
}

// TestFullDisk: the broker refuses what it cannot store, whether the disk takes nothing of it or some of it, and holds exactly what it has
// acknowledged: as long as it runs, when there is room again, and after it was killed.
func TestFullDisk(t *testing.T) {
	for name, room := range map[string]uint64{"no_room": 0, "room_for_a_part": 20} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			var want []string
			stores := func(text string) {
				require.NoError(t, p.produce(text))
				want = append(want, text)
			}
			for n := range 20 { // the index stays shorter than the records, so that it is they that are torn
				stores(fmt.Sprintf("before %d", n))
			}
			p.limit(p.longest() + room)
			for range 3 {
				require.ErrorIs(t, p.produce("refused"), kafka.Unknown)
			}
			got, err := p.holds()
			require.NoError(t, err)
			require.Equal(t, want, got)
			p.limit(unix.RLIM_INFINITY)
			stores("after")
			p.kill()
			p.start()
			require.Eventually(t, func() bool {
				got, err = p.holds()
				return err == nil
			}, bound, 10*time.Millisecond)
			require.Equal(t, want, got)
			stores("after the restart")
		})
	}
}
