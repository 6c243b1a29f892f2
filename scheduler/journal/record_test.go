package journal

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyRecord draws a record as it can be in a file.
func anyRecord(t *rapid.T) *record {
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
	})
	text := rapid.String()
	r := &record{
		number: rapid.Uint64().Draw(t, "number"), id: text.Draw(t, "id"), handler: text.Draw(t, "handler"), key: text.Draw(t, "key"),
		end: text.Draw(t, "end"), lastErr: text.Draw(t, "error"), priority: rapid.Int().Draw(t, "priority"), cost: rapid.Int64().Draw(t, "cost"),
		costs: rapid.MapOfN(text, rapid.Int64(), 0, 4).Draw(t, "costs"), attempts: rapid.Int().Draw(t, "attempts"), crashes: rapid.Int().Draw(t, "crashes"),
		rank: instant.Draw(t, "rank"), first: instant.Draw(t, "first"), due: instant.Draw(t, "due"), endedAt: instant.Draw(t, "ended"),
		state: state(rapid.IntRange(int(waiting), int(ended)).Draw(t, "state")), maybeRan: rapid.Bool().Draw(t, "maybe"), seq: rapid.Uint64().Draw(t, "seq"),
		payload: body{rapid.Uint64().Draw(t, "size"), rapid.Uint32().Draw(t, "sum")}, results: body{rapid.Uint64().Draw(t, "size"), 7},
		left: keyLeft{rapid.Uint64().Draw(t, "left at"), text.Draw(t, "left")},
	}
	if len(r.costs) == 0 {
		r.costs = nil
	}
	return r
}

// TestRecordRoundTrips checks that a record comes back as it was, and not at another key, nor with any bit changed, nor with a byte
// more or less.
func TestRecordRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t)
		key, value := keyOf(r.number), r.encode()
		got, err := decode(key, value)
		require.NoError(t, err)
		require.Equal(t, r, got)
		again := anyRecord(t)
		require.NoError(t, again.decode(key, value))
		require.Equal(t, r, again, "nothing is left of another record")

		_, err = decode(keyOf(r.number+1), value)
		require.ErrorIs(t, err, errDamaged)
		_, err = decode(key, append(value[:len(value):len(value)], 0))
		require.ErrorIs(t, err, errDamaged)
		_, err = decode(key, value[:len(value)-1])
		require.ErrorIs(t, err, errDamaged)
		at := rapid.IntRange(0, 8*len(value)-1).Draw(t, "bit")
		value[at/8] ^= 1 << (at % 8)
		_, err = decode(key, value)
		require.ErrorIs(t, err, errDamaged)
	})
}

// TestRecordOfNewerFormat checks that what a newer version wrote is not taken for damage.
func TestRecordOfNewerFormat(t *testing.T) {
	value := call(1).encode()
	value[4] = 200
	sum := checksum(append(keyOf(1), value[4:]...))
	value[0], value[1], value[2], value[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	_, err := decode(keyOf(1), value)
	require.EqualError(t, err, "written in format 200 by a newer version of this package, which reads format 1")
	require.NotErrorIs(t, err, errDamaged)
}

// FuzzDecode checks that no bytes make decode panic, and that what it takes for a record can be stored again.
func FuzzDecode(f *testing.F) {
	f.Add(call(1).encode()[headSize:])
	full := call(math.MaxUint64)
	full.costs, full.first, full.due, full.endedAt = map[string]int64{"a": 1, "b": -1}, day, day, day
	f.Add(full.encode()[headSize:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, fields []byte) {
		sealed := func(key []byte) []byte { return seal(checksum(key), append(make([]byte, headSize), fields...)) }
		_, _ = decodeSummary(sealed(only))
		if d, err := decodeDamage(make([]byte, 12), sealed(make([]byte, 12))); err == nil {
			again, err := decodeDamage(make([]byte, 12), d.encode(make([]byte, 12)))
			require.NoError(t, err)
			require.Equal(t, d, again)
		}
		r := new(record)
		if !r.decodeFields(fields) {
			return
		}
		again, err := decode(keyOf(r.number), r.encode())
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}
