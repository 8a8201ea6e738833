package history

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Read reads a history from its file. A file that ends early, or in the middle of a line, is read as far as it goes and is not
// Complete; an operation in it that was sent and has no answer is Unknown if it is a write and Fail if it is a read. Any
// other damage is an error that names the file and the line.
func Read(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read history: %w; give the history file of a run", err)
	}
	defer f.Close() // nothing was written: an error of closing means nothing
	return read(path, f)
}

func read(path string, from io.Reader) (*History, error) {
	lines := bufio.NewReaderSize(from, bufferSize)
	r := &reader{h: &History{}, operations: map[operationID]*progress{}, faults: map[faultID]int{}}
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what stands after the last newline is a line that was cut
			return r.finish(path)
		}
		if err != nil {
			return nil, fmt.Errorf("read history %s: %w; check the disk", path, err)
		}
		if err := r.take(line); err != nil {
			return nil, fmt.Errorf("history %s, line %d: %w; the file is damaged, run again or repair that line", path, n, err)
		}
	}
}

// reader puts the lines of a file together.
type reader struct {
	h          *History
	operations map[operationID]*progress
	faults     map[faultID]int // where in h.Faults
	headed     bool
}

// progress is how far the lines of an operation have come.
type progress struct {
	operation *Operation
	complete  bool
}

// faultID names a fault: its lines may be rewritten.
type faultID struct {
	Asked  int64
	Victim string
}

// take takes in the next line.
func (r *reader) take(line []byte) error {
	var head struct {
		Type lineType `json:"type"`
		operationID
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return err
	}
	switch {
	case r.h.Complete:
		return errors.New("a line after the end")
	case r.headed == (head.Type == lineHeader):
		return errors.New("the header must be the first line, and only the first")
	case head.Type == lineInvoke:
		return r.takeInvoke(head.operationID, line)
	case head.Type == lineComplete:
		return r.takeComplete(head.operationID, line)
	}
	return r.takeOther(head.Type, line)
}

// takeOther takes in a line that is not about an operation.
func (r *reader) takeOther(t lineType, line []byte) error {
	switch t {
	case lineHeader:
		return r.takeHeader(line)
	case lineEffect:
		return takeInto(&r.h.Effects, line)
	case lineLook:
		return takeInto(&r.h.Looks, line)
	case lineRecord:
		return takeInto(&r.h.Records, line)
	case lineGenerator:
		r.h.Generator = &Generator{}
		return json.Unmarshal(line, r.h.Generator)
	case lineFault:
		return r.takeFault(line)
	case lineFinal:
		return r.takeFinal(line)
	case lineDrained:
		var d drainedLine
		err := json.Unmarshal(line, &d)
		r.h.Drained = d.Drained
		return err
	case lineUnsettled:
		r.h.Unsettled = true
		return nil
	case lineEnd:
		r.h.Complete = true
		return nil
	}
	return fmt.Errorf("unknown type %q", t)
}

func takeInto[T any](list *[]T, line []byte) error {
	var t T
	err := json.Unmarshal(line, &t)
	*list = append(*list, t)
	return err
}

func (r *reader) takeHeader(line []byte) error {
	r.headed = true
	if err := json.Unmarshal(line, &r.h.Header); err != nil {
		return err
	}
	if r.h.Header.Schema != Schema {
		return fmt.Errorf("schema %d is not %d, the one that this version reads", r.h.Header.Schema, Schema)
	}
	return nil
}

func (r *reader) takeInvoke(id operationID, line []byte) error {
	if r.operations[id] != nil {
		return fmt.Errorf("operation %d of %s is invoked after it was seen already", id.Index, id.Phase)
	}
	return r.takeOperation(id, line)
}

func (r *reader) takeComplete(id operationID, line []byte) error {
	if err := r.takeAnswer(id, line); err != nil {
		return err
	}
	p := r.operations[id]
	if p.complete {
		return fmt.Errorf("operation %d of %s is completed twice", id.Index, id.Phase)
	}
	p.complete = true
	switch p.operation.Outcome {
	case OK, Fail, Unknown:
		return nil
	}
	return fmt.Errorf("unknown outcome %q", p.operation.Outcome)
}

// takeAnswer adds the answer to what the operation's invocation said: decoding overwrites only the fields that the line has.
func (r *reader) takeAnswer(id operationID, line []byte) error {
	if p := r.operations[id]; p != nil {
		return json.Unmarshal(line, p.operation)
	}
	return r.takeOperation(id, line)
}

// takeOperation takes in the first line of an operation.
func (r *reader) takeOperation(id operationID, line []byte) error {
	o := &Operation{}
	if err := json.Unmarshal(line, o); err != nil {
		return err
	}
	if o.Phase != PhasePreload && o.Phase != PhaseLoad {
		return fmt.Errorf("unknown phase %q", o.Phase)
	}
	if o.Op == "" {
		return fmt.Errorf("operation %d of %s does not say which RPC it is", id.Index, id.Phase)
	}
	r.operations[id] = &progress{operation: o}
	r.h.Operations = append(r.h.Operations, o)
	return nil
}

func (r *reader) takeFault(line []byte) error {
	var f Fault
	if err := json.Unmarshal(line, &f); err != nil {
		return err
	}
	id := faultID{int64(f.Asked), f.Victim}
	if i, seen := r.faults[id]; seen {
		r.h.Faults[i] = f
		return nil
	}
	r.faults[id] = len(r.h.Faults)
	r.h.Faults = append(r.h.Faults, f)
	return nil
}

func (r *reader) takeFinal(line []byte) error {
	if err := takeInto(&r.h.Finals, line); err != nil {
		return err
	}
	if v := r.h.Finals[len(r.h.Finals)-1].View; v != ViewStore && v != ViewPage && v != ViewReview {
		return fmt.Errorf("unknown view %q", v)
	}
	return nil
}

// finish puts everything in the order that History promises.
func (r *reader) finish(path string) (*History, error) {
	if !r.headed {
		return nil, fmt.Errorf("history %s holds no header: the run ended before it began, run again", path)
	}
	for _, p := range r.operations {
		if !p.complete {
			p.operation.abandon()
		}
	}
	slices.SortStableFunc(r.h.Operations, compareOperations)
	slices.SortStableFunc(r.h.Effects, func(a, b Effect) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(r.h.Looks, func(a, b Look) int { return cmp.Compare(a.Sent, b.Sent) })
	slices.SortFunc(r.h.Records, compareRecords)
	slices.SortStableFunc(r.h.Faults, func(a, b Fault) int { return cmp.Compare(a.Asked, b.Asked) })
	return r.h, nil
}

// abandon gives an operation without an answer the outcome that this means.
func (o *Operation) abandon() {
	o.Completed, o.Outcome = 0, Fail
	if o.IsWrite() {
		o.Outcome = Unknown
	}
}

// compareOperations orders the preload before the load.
func compareOperations(a, b *Operation) int {
	if a.Phase != b.Phase {
		return -cmp.Compare(a.Phase, b.Phase) // "preload" sorts after "load"
	}
	return cmp.Compare(a.Index, b.Index)
}

func compareRecords(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}
