package bus

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// decode reads an event. What a newer producer has added is passed over. A field whose type has changed is an error: protobuf takes it
// for one that it does not know, and the event would be applied without it, and nobody would be told.
func decode(value []byte, event proto.Message) error {
	if err := proto.Unmarshal(value, event); err != nil {
		return err
	}
	return checkTypes(event.ProtoReflect())
}

// checkTypes finds the fields that m knows by their number and could not read.
func checkTypes(m protoreflect.Message) (err error) {
	for rest := m.GetUnknown(); len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 { // Unmarshal has gone through it before, so this is only for safety
			return protowire.ParseError(n)
		}
		if field := m.Descriptor().Fields().ByNumber(number); field != nil {
			return fmt.Errorf("its field %s (%d) has another type than %v", field.Name(), number, field.Kind())
		}
		rest = rest[n:]
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Kind() == protoreflect.MessageKind && field.Cardinality() != protoreflect.Repeated { // events have no lists of messages
			err = checkTypes(v.Message())
		}
		return err == nil
	})
	return err
}

// ownTypes is the package of the events that this program is made for. A later version of them has another package.
const ownTypes = "event.v1."

// passOver returns nil for the events that are somebody else's: of a type that other consumers apply, or of another package. An event of
// the own package with a name that nobody knows was renamed, or is newer than this program. It is poison: whoever passes it over never
// hears of it again, and among the dead letters it waits for a program that knows it.
func passOver(name string) error {
	if !strings.HasPrefix(name, ownTypes) {
		return nil
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name)); err != nil {
		return Poison("no event is called %s here: it was renamed, or is newer than this program", name)
	}
	return nil
}
