package check

import (
	"fmt"
	"strings"

	"tandem/bench/history"
)

// event names an event in all its records.
type event struct{ source, id string }

// place is where a record stands.
func place(r *history.Record) string {
	return fmt.Sprintf("%s/%d at %d", r.Topic, r.Partition, r.Offset)
}

// isDead tells whether a record stands in the dead-letter topic.
func isDead(r *history.Record) bool {
	return r.Reason != "" || strings.HasSuffix(r.Topic, "dead-letter")
}

// judgeLog judges the log of the broker. It begins with the load: of what was there before it holds only later changes.
func (j *judge) judgeLog() {
	if len(j.h.Records) == 0 {
		return
	}
	l := &log{judge: j, of: map[key]*line{}, floor: map[key]int64{}, seen: map[event]bool{}, partition: map[string]int{}}
	for i := range j.h.Records {
		if r := &j.h.Records[i]; !isDead(r) {
			l.take(r)
		}
	}
	l.judgeStarts()
	l.findLost()
	j.judgeDeadLetters()
}

// log is a log that is read record by record.
type log struct {
	*judge
	of        map[key]*line
	floor     map[key]int64
	order     []*line
	seen      map[event]bool
	partition map[string]int // of a topic and key
}

// line is the records of one thing.
type line struct {
	key
	first, newest int64
	versions      map[int64]bool
	deleted       bool
}

// take takes in the next record.
func (l *log) take(r *history.Record) {
	e := event{r.Source, r.EventID}
	if l.seen[e] && r.EventID != "" {
		l.figures.Log.Repeated.add(fmt.Sprintf("%s of %s stands in the log again, in %s.", eventName(r), subjectOf(r), place(r)))
		return
	}
	l.seen[e] = true
	if p, found := l.partition[r.Topic+"\x00"+r.Key]; !found {
		l.partition[r.Topic+"\x00"+r.Key] = r.Partition
	} else if p != r.Partition && r.Key != "" {
		l.figures.Log.Reordered.add(fmt.Sprintf("The records of %s stand in partitions %d and %d of %s.", subjectOf(r), p, r.Partition, r.Topic))
	}
	if r.ID != "" && r.Problem != "" {
		l.figures.Log.Reordered.add(fmt.Sprintf("%s in %s stands where it has no order: %s.", eventName(r), place(r), strings.TrimSuffix(r.Problem, ".")))
	}
	if r.Version > 0 && r.ID != "" { // a verdict has no version
		l.takeVersion(r)
	}
}

func (l *log) takeVersion(r *history.Record) {
	k := key{r.Aggregate, r.ID}
	if r.Version <= l.floorOf(k) {
		return // of before the load: it came late, or once more, and its first record is not in this log
	}
	of := l.of[k]
	if of == nil {
		of = &line{key: k, first: r.Version, newest: r.Version - 1, versions: map[int64]bool{}}
		l.of[k] = of
		l.order = append(l.order, of)
	}
	switch {
	case of.versions[r.Version]:
		l.figures.Log.Reordered.add(fmt.Sprintf("Two events have version %d of %s: the second is %s in %s.", r.Version, k, eventName(r), place(r)))
	case r.Version <= of.newest:
		l.figures.Log.Reordered.add(fmt.Sprintf("Version %d of %s stands in the log after version %d, in %s.", r.Version, k, of.newest, place(r)))
	}
	of.versions[r.Version] = true
	of.newest, of.first = max(of.newest, r.Version), min(of.first, r.Version)
	of.deleted = of.deleted || strings.HasSuffix(r.EventType, "Deleted")
}

// floorOf is the version that a thing had when the load began; 0 if that is not known.
func (l *log) floorOf(k key) int64 {
	floor, found := l.floor[k]
	if !found {
		if before, known := l.before(k); known {
			floor = before
		}
		l.floor[k] = floor
	}
	return floor
}

// judgeStarts finds the versions that are left out: between the first and the last record of a thing, and before the first, which
// must be the creation or the change after the last one before the load.
func (l *log) judgeStarts() {
	for _, of := range l.order {
		before, known := l.before(of.key)
		if known && of.first > before+1 {
			l.figures.Log.Gaps.add(fmt.Sprintf("The first record of %s is its version %d, and not %d.", of.key, of.first, before+1))
		}
		for v := of.first + 1; v < of.newest; v++ {
			if !of.versions[v] {
				l.figures.Log.Gaps.add(fmt.Sprintf("Version %d of %s has no record, and version %d has.", v, of.key, of.newest))
				break
			}
		}
	}
}

// before is the version that a thing had when the load began, 0 of what the load created. It is not known of a comment, which
// changes by itself.
func (l *log) before(k key) (version int64, known bool) {
	t := l.things[k]
	if t == nil || t.aggregate != history.Author && (t.create == nil || t.create.ID != t.id) {
		return 0, false
	}
	for _, o := range t.writes {
		if o.Phase == history.PhasePreload {
			version = max(version, versionOf(o))
		}
	}
	return version, version == 0 || t.aggregate != history.Comment
}

// findLost finds the acknowledged changes of which the log has no record.
func (l *log) findLost() {
	for _, o := range l.h.Operations {
		if o.Phase != history.PhaseLoad || !acknowledged(o) || versionOf(o) == 0 {
			continue
		}
		k := subject(o)
		if k.id == "" || l.holds(o, k) {
			continue
		}
		l.figures.Lost.Log.add(ackedAt(o) + " has no record in the log.")
	}
	for _, t := range l.judge.order {
		l.findLostDecision(t)
	}
}

// holds tells whether the log has what a write changed, or had it before the load: following twice changes nothing.
func (l *log) holds(o *history.Operation, k key) bool {
	of := l.of[k]
	if before, known := l.before(k); known && o.Op != "DeletePost" && versionOf(o) <= before {
		return true
	}
	if of == nil {
		return false
	}
	return of.versions[versionOf(o)] || o.Op == "DeletePost" && of.deleted
}

// findLostDecision: a comment that the load created and the store shows as decided was decided by a change of its own.
func (l *log) findLostDecision(t *thing) {
	decided := present(t.store) && (t.store.Status == approved || t.store.Status == rejected)
	if t.aggregate != history.Comment || !decided || !t.acked() || t.create.Phase != history.PhaseLoad {
		return
	}
	if of := l.of[t.key]; of != nil && t.store.Version > of.newest {
		l.figures.Lost.Log.add(fmt.Sprintf("%s is %s in the store, as version %d, and the log ends with its version %d.",
			capital(t), t.store.Status, t.store.Version, of.newest))
	}
}

// judgeDeadLetters counts what was put aside, and finds what can not be read and was not.
func (j *judge) judgeDeadLetters() {
	events, keys := map[event]bool{}, map[string]bool{}
	for i := range j.h.Records {
		if r := &j.h.Records[i]; isDead(r) {
			events[event{r.Source, r.EventID}], keys[r.Key] = true, true
			j.figures.DeadLetters.add(fmt.Sprintf("%s of %s was put aside: %s.", eventName(r), subjectOf(r), strings.TrimSuffix(r.Reason, ".")))
		}
	}
	for i := range j.h.Records {
		r := &j.h.Records[i]
		aside := events[event{r.Source, r.EventID}]
		if r.EventID == "" {
			aside = keys[r.Key]
		}
		if !isDead(r) && unreadable(r) && !aside {
			j.figures.PassedOver.add(fmt.Sprintf("In %s there is nothing to apply (%s), and nobody put it aside.",
				place(r), strings.TrimSuffix(r.Problem, ".")))
		}
	}
}

// unreadable tells whether no consumer can apply a record. An event of a type that is not ours is passed over on purpose.
func unreadable(r *history.Record) bool {
	ours := r.EventType == "" || strings.HasPrefix(r.EventType, "event.v1.")
	return r.Problem != "" && ours && (r.EventID == "" || r.EventType == "" || r.ID == "")
}

// eventName is the last part of an event's type, for example "PostCreated".
func eventName(r *history.Record) string {
	if r.EventType == "" {
		return "A record"
	}
	return r.EventType[strings.LastIndex(r.EventType, ".")+1:]
}

func subjectOf(r *history.Record) string {
	if r.ID == "" {
		return "key " + short(r.Key)
	}
	return key{r.Aggregate, r.ID}.String()
}
