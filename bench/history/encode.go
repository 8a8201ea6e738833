package history

import (
	"encoding/json"
	"strconv"
)

// The two lines that are written while the load goes on are put together by hand: they are what the load generator spends most on
// after the calls themselves. A test holds them to what encoding/json makes of the same structs, field by field.

// appendTo appends the line of an invocation.
func (i *invocation) appendTo(b []byte) []byte {
	e := encoder(b)
	e.text(`{"type":`, string(i.Type))
	e.text(`,"phase":`, string(i.Phase))
	e.number(`,"index":`, i.Index)
	e.text(`,"op":`, i.Op)
	e.textIfAny(`,"request_id":`, i.RequestID)
	e.textIfAny(`,"ref":`, i.Ref)
	e.number(`,"client":`, int64(i.Client))
	e.number(`,"intended_ns":`, int64(i.Intended))
	e.numberIfAny(`,"woken_ns":`, int64(i.Woken))
	e.number(`,"sent_ns":`, int64(i.Sent))
	e.textIfAny(`,"aggregate":`, string(i.Aggregate))
	e.textIfAny(`,"id":`, i.ID)
	e.textIfAny(`,"post_id":`, i.PostID)
	e.textIfAny(`,"author":`, i.Author)
	e.textIfAny(`,"follower":`, i.Follower)
	e.ifTrue(`,"blocked":true`, i.Blocked)
	e.textIfAny(`,"text":`, i.Text)
	return append(e, '}')
}

// appendTo appends the line of a completion.
func (c *completion) appendTo(b []byte) []byte {
	e := encoder(b)
	e.text(`{"type":`, string(c.Type))
	e.text(`,"phase":`, string(c.Phase))
	e.number(`,"index":`, c.Index)
	e.number(`,"sent_ns":`, int64(c.Sent))
	e.number(`,"completed_ns":`, int64(c.Completed))
	e.number(`,"attempts":`, int64(c.Attempts))
	e.text(`,"outcome":`, string(c.Outcome))
	e.text(`,"code":`, c.Code)
	e.ifTrue(`,"degraded":true`, c.Degraded)
	e.textIfAny(`,"aggregate":`, string(c.Aggregate))
	e.textIfAny(`,"id":`, c.ID)
	e.numberIfAny(`,"version":`, c.Version)
	e.textIfAny(`,"status":`, c.Status)
	return append(e, '}')
}

// encoder appends the members of a JSON object. Each key comes with the quotes, comma and colon around it.
type encoder []byte

func (e *encoder) number(key string, v int64) { *e = strconv.AppendInt(append(*e, key...), v, 10) }

func (e *encoder) numberIfAny(key string, v int64) {
	if v != 0 {
		e.number(key, v)
	}
}

func (e *encoder) ifTrue(member string, v bool) {
	if v {
		*e = append(*e, member...)
	}
}

func (e *encoder) textIfAny(key, v string) {
	if v != "" {
		e.text(key, v)
	}
}

func (e *encoder) text(key, v string) {
	*e = append(*e, key...)
	if !plain(v) {
		quoted, _ := json.Marshal(v) // of a string it cannot fail
		*e = append(*e, quoted...)
		return
	}
	*e = append(append(append(*e, '"'), v...), '"')
}

// plain tells whether encoding/json writes a text as it is.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
