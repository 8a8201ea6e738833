package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Schema is the version of the file's format that this package writes and reads.
const Schema = 2

// bufferSize keeps disk writes out of the load generator's way: some hundred operations go to the disk at once.
const bufferSize = 1 << 16

// lineType tells what one line of the file holds.
type lineType string

const (
	lineHeader    lineType = "header"
	lineInvoke    lineType = "invoke"   // an operation was sent: what is asked
	lineComplete  lineType = "complete" // what became of it; all of it if it was never invoked
	lineEffect    lineType = "effect"
	lineLook      lineType = "look"
	lineRecord    lineType = "record"
	lineGenerator lineType = "generator"
	lineFault     lineType = "fault"
	lineFinal     lineType = "final"
	lineDrained   lineType = "drained"
	lineUnsettled lineType = "unsettled" // what is there went on changing while it was looked at
	lineEnd       lineType = "end"       // the run was written to its end
)

// ErrClosed is kept by a Writer that was asked to write after Finish or Abort.
var ErrClosed = errors.New("the history is closed already: wait for all operations before closing it")

// operationID names an operation within a run.
type operationID struct {
	Phase Phase `json:"phase"`
	Index int64 `json:"index"`
}

// invocation is the part of an operation that is known when it is sent. Its JSON names are Operation's.
type invocation struct {
	Type lineType `json:"type"`
	operationID
	Op        string        `json:"op"`
	RequestID string        `json:"request_id,omitempty"`
	Ref       string        `json:"ref,omitempty"`
	Client    int           `json:"client"`
	Intended  time.Duration `json:"intended_ns"`
	Woken     time.Duration `json:"woken_ns,omitempty"`
	Sent      time.Duration `json:"sent_ns"`
	Aggregate Aggregate     `json:"aggregate,omitempty"`
	ID        string        `json:"id,omitempty"`
	PostID    string        `json:"post_id,omitempty"`
	Author    string        `json:"author,omitempty"`
	Follower  string        `json:"follower,omitempty"`
	Blocked   bool          `json:"blocked,omitempty"`
	Text      string        `json:"text,omitempty"`
}

// completion is the part of an operation that its answer tells. Its JSON names are Operation's.
type completion struct {
	Type lineType `json:"type"`
	operationID
	Sent      time.Duration `json:"sent_ns"`
	Completed time.Duration `json:"completed_ns"`
	Attempts  int           `json:"attempts"`
	Outcome   Outcome       `json:"outcome"`
	Code      string        `json:"code"`
	Degraded  bool          `json:"degraded,omitempty"`
	Aggregate Aggregate     `json:"aggregate,omitempty"`
	ID        string        `json:"id,omitempty"`
	Version   int64         `json:"version,omitempty"`
	Status    string        `json:"status,omitempty"`
}

type (
	headerLine struct {
		Type lineType `json:"type"`
		Header
	}
	operationLine struct {
		Type lineType `json:"type"`
		*Operation
	}
	effectLine struct {
		Type lineType `json:"type"`
		Effect
	}
	lookLine struct {
		Type lineType `json:"type"`
		Look
	}
	recordLine struct {
		Type lineType `json:"type"`
		Record
	}
	generatorLine struct {
		Type lineType `json:"type"`
		Generator
	}
	faultLine struct {
		Type lineType `json:"type"`
		Fault
	}
	finalLine struct {
		Type lineType `json:"type"`
		Final
	}
	drainedLine struct {
		Type    lineType      `json:"type"`
		Drained time.Duration `json:"drained_ns"`
	}
	unsettledLine struct {
		Type lineType `json:"type"`
	}
)

// file is what a Writer needs of an *os.File.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

// Writer writes a history as JSON lines while the run goes on. It is safe for concurrent use. Its methods never report an
// error: the first one is kept, nothing is written after it, and Err and Finish return it.
type Writer struct {
	path string

	mu      sync.Mutex
	file    file
	buf     *bufio.Writer
	invoked map[operationID]bool // and not complete yet
	err     error
	closed  bool
}

// Create starts a history in a new file, with header h (Schema is filled in). A file that exists already is an error: a
// history is never overwritten.
func Create(path string, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create history: %w; choose another folder for the results", err)
	}
	return newWriter(path, f, h), nil
}

func newWriter(path string, f file, h Header) *Writer {
	w := &Writer{path: path, file: f, buf: bufio.NewWriterSize(f, bufferSize), invoked: map[operationID]bool{}}
	h.Schema = Schema
	w.write(headerLine{lineHeader, h})
	return w
}

// Invoke notes that an operation is being sent. Call it before the call, so that a run that dies leaves the operation behind
// as unknown.
func (w *Writer) Invoke(o *Operation) {
	id := operationID{o.Phase, o.Index}
	w.mu.Lock()
	w.invoked[id] = true
	w.mu.Unlock()
	w.write(invocation{
		Type: lineInvoke, operationID: id, Op: o.Op, RequestID: o.RequestID, Ref: o.Ref, Client: o.Client,
		Intended: o.Intended, Woken: o.Woken, Sent: o.Sent,
		Aggregate: o.Aggregate, ID: o.ID, PostID: o.PostID, Author: o.Author, Follower: o.Follower, Blocked: o.Blocked,
		Text: o.Text,
	})
}

// Complete notes what became of an operation. One that was not invoked (preload, or never sent) is written whole.
func (w *Writer) Complete(o *Operation) {
	id := operationID{o.Phase, o.Index}
	w.mu.Lock()
	invoked := w.invoked[id]
	delete(w.invoked, id)
	w.mu.Unlock()
	if !invoked {
		w.write(operationLine{lineComplete, o})
		return
	}
	w.write(completion{
		Type: lineComplete, operationID: id, Sent: o.Sent, Completed: o.Completed, Attempts: o.Attempts, Outcome: o.Outcome,
		Code: o.Code, Aggregate: o.Aggregate, ID: o.ID, Version: o.Version, Status: o.Status, Degraded: o.Degraded,
	})
}

// Effect notes a change that became visible.
func (w *Writer) Effect(e Effect) { w.write(effectLine{lineEffect, e}) }

// Look notes one read-back of a write.
func (w *Writer) Look(l Look) { w.write(lookLine{lineLook, l}) }

// Record notes one record of the broker's log.
func (w *Writer) Record(r Record) { w.write(recordLine{lineRecord, r}) }

// Generator notes what the load generator used.
func (w *Writer) Generator(g Generator) { w.write(generatorLine{lineGenerator, g}) }

// Fault notes a fault as far as it is known. Call it at each of its steps: of the lines with the same Asked and Victim the
// last one counts.
func (w *Writer) Fault(f Fault) { w.write(faultLine{lineFault, f}) }

// Final notes how one thing was seen at the end.
func (w *Writer) Final(f Final) { w.write(finalLine{lineFinal, f}) }

// Drained notes when all acknowledged writes had their effect, in run time.
func (w *Writer) Drained(at time.Duration) { w.write(drainedLine{lineDrained, at}) }

// Unsettled notes that what is there went on changing until the looks at it were given up.
func (w *Writer) Unsettled() { w.write(unsettledLine{lineUnsettled}) }

// Err returns the first error of writing, nil if there was none. A run whose history cannot be written should stop.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Finish marks the history as whole, brings it to the disk and closes it. It returns the first error of all writing; then
// the history is not whole. Called again, or after Abort, it only returns that error.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.append([]byte(`{"type":"` + lineEnd + `"}`))
	w.keep(w.buf.Flush())
	w.keep(w.file.Sync())
	return w.close()
}

// Abort closes the history as one that is not whole; a reader gets what was noted so far. After Finish it does nothing, so
// it can be deferred.
func (w *Writer) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.keep(w.buf.Flush())
	return w.close()
}

// write encodes a line before it takes the lock, so that operations wait for each other's copying only.
func (w *Writer) write(line any) {
	text, err := json.Marshal(line)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(err)
	w.append(text)
}

// append needs w.mu.
func (w *Writer) append(text []byte) {
	if w.closed {
		w.keep(ErrClosed)
	}
	if w.err != nil {
		return
	}
	_, err := w.buf.Write(append(text, '\n'))
	w.keep(err)
}

// keep needs w.mu.
func (w *Writer) keep(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("write history %s: %w; check the disk and run again", w.path, err)
	}
}

// close needs w.mu.
func (w *Writer) close() error {
	w.keep(w.file.Close())
	w.closed = true
	return w.err
}
