package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// handMade is a line that is put together by hand.
type handMade interface{ appendTo([]byte) []byte }

func requireSameAsJSON(t *testing.T, line handMade) {
	t.Helper()
	want, err := json.Marshal(line)
	require.NoError(t, err)
	require.Equal(t, string(want), string(line.appendTo(nil)))
}

// leaves are the settable fields of a struct, those of embedded ones too.
func leaves(v reflect.Value) (all []reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct {
			all = append(all, leaves(f)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

// values are what a field of a kind may hold, beginning with nothing.
func values(t *testing.T, kind reflect.Kind) []any {
	switch kind {
	case reflect.String:
		return []any{"", "plain text ~", `"quoted" \ <b> & 'more'`, "line\nend\t\x00\x7f", "Grüße 🚲 \u2028 \u2029 \u00a0", "broken \xff text"}
	case reflect.Int, reflect.Int64:
		return []any{0, 1, -1, 1<<62 + 1}
	case reflect.Bool:
		return []any{false, true}
	}
	require.Failf(t, "unknown kind", "teach this test and the encoder about fields of kind %v", kind)
	return nil
}

// TestHandMadeLinesAreWhatJSONMakes sets each field to each value with all others empty, and with all others full.
func TestHandMadeLinesAreWhatJSONMakes(t *testing.T) {
	for _, make := range []func() handMade{
		func() handMade { return &invocation{} }, func() handMade { return &completion{} },
	} {
		t.Run(fmt.Sprintf("%T", make()), func(t *testing.T) {
			requireSameAsJSON(t, make())
			for _, full := range []bool{false, true} {
				for i, field := range leaves(reflect.ValueOf(make()).Elem()) {
					for _, v := range values(t, field.Kind()) {
						line := make()
						for n, f := range leaves(reflect.ValueOf(line).Elem()) {
							switch {
							case n == i:
								f.Set(reflect.ValueOf(v).Convert(f.Type()))
							case full:
								f.Set(reflect.ValueOf(values(t, f.Kind())[1]).Convert(f.Type()))
							}
						}
						requireSameAsJSON(t, line)
					}
				}
			}
		})
	}
}
