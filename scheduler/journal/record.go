package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"time"
)

// state is where a call stands.
type state byte

const (
	waiting    state = iota + 1
	running          // an attempt was begun, and its end is not known
	backingOff       // until record.due
	later            // arrives at record.due
	dead             // given up: a dead letter, kept until it is tried again or forgotten
	ended            // only its id and its result are kept, for a time
)

// record has what the file keeps of a call.
type record struct {
	number   uint64 // the scheduler's number of the call, above 0: the key in the file
	id       string // the user's, or made by us
	handler  string
	key      string
	end      string // how a dead letter has ended, as the name of an events.Kind; "" if its process died
	priority int
	cost     int64
	costs    map[string]int64
	rank     time.Time // seniority
	attempts int
	first    time.Time // when the first attempt was granted
	due      time.Time // the end of the backoff or of NotBefore
	state    state
	lastErr  string
	crashes  int       // how often the process ended while the call was the only suspect that ran
	maybeRan bool      // an earlier attempt may have done its work
	endedAt  time.Time // of ended and dead

	// The file sets these.
	seq              uint64 // of the commit that wrote this version of the record
	payload, results body
	left             keyLeft // what the key had left when an attempt of the call was last written
}

// body describes the payload or result of a record, which is stored by itself.
type body struct {
	size uint64
	sum  uint32 // CRC-32C of the bytes
}

func bodyOf(b []byte) body { return body{uint64(len(b)), checksum(b)} }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the CRC-32C of b.
func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// format is the version of everything in the file. Each value begins with its CRC-32C, over its key and all that
// follows, and this version.
const format, headSize = 1, 5

var (
	errDamaged = errors.New("damaged")
	errAbsent  = errors.New("is not in the file")
)

// newerFormat is the error for what a newer version of this package wrote.
type newerFormat byte

func (v newerFormat) Error() string {
	return fmt.Sprintf("written in format %d by a newer version of this package, which reads format %d", byte(v), format)
}

// seal adds the head to a value. The first headSize bytes of value are its place. keySum is the checksum of its key.
func seal(keySum uint32, value []byte) []byte {
	value[4] = format
	binary.LittleEndian.PutUint32(value, crc32.Update(keySum, castagnoli, value[4:]))
	return value
}

// unseal checks a value, and returns what follows its head.
func unseal(keySum uint32, value []byte) ([]byte, error) {
	if len(value) < headSize || binary.LittleEndian.Uint32(value) != crc32.Update(keySum, castagnoli, value[4:]) {
		return nil, errDamaged
	}
	if value[4] > format {
		return nil, newerFormat(value[4])
	}
	return value[headSize:], nil
}

// keyOf returns the key of a number in the file. Keys are in the order of numbers.
func keyOf(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// bodySum returns the checksum of the key of a payload or result. It differs from that of the call, so that no payload passes
// for a record.
func bodySum(key []byte) uint32 { return crc32.Update(bodyPrefix, castagnoli, key) }

var bodyPrefix = checksum([]byte("body"))

// times returns the record's times, in the order of the file.
func (r *record) times() [4]*time.Time { return [...]*time.Time{&r.rank, &r.first, &r.due, &r.endedAt} }

// texts returns the record's strings, in the order of the file.
func (r *record) texts() [6]*string {
	return [...]*string{&r.id, &r.handler, &r.key, &r.end, &r.lastErr, &r.left.text}
}

// encode returns the record's value in the file.
func (r *record) encode() []byte {
	b := append(make([]byte, headSize, 128), byte(r.state), r.flags())
	b = binary.AppendUvarint(binary.AppendUvarint(b, r.seq), r.left.seq)
	for _, s := range r.texts() {
		b = append(binary.AppendUvarint(b, uint64(len(*s))), *s...)
	}
	b = binary.AppendVarint(b, int64(r.priority))
	b = binary.AppendVarint(b, r.cost)
	b = binary.AppendVarint(b, int64(r.attempts))
	b = binary.AppendVarint(b, int64(r.crashes))
	b = binary.AppendUvarint(b, uint64(len(r.costs)))
	for _, name := range slices.Sorted(maps.Keys(r.costs)) {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		b = binary.AppendVarint(b, r.costs[name])
	}
	for _, t := range r.times() {
		if !t.IsZero() {
			b = binary.AppendVarint(b, t.Unix())
			b = binary.AppendUvarint(b, uint64(t.Nanosecond()))
		}
	}
	for _, p := range [...]body{r.payload, r.results} {
		b = binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, p.size), p.sum)
	}
	return seal(checksum(keyOf(r.number)), b)
}

// flags returns a bit for each time that is not zero, and one for maybeRan.
func (r *record) flags() (bits byte) {
	for i, t := range r.times() {
		if !t.IsZero() {
			bits |= 1 << i
		}
	}
	if r.maybeRan {
		bits |= 1 << 4
	}
	return bits
}

// decode returns the record at a key.
func decode(key, value []byte) (*record, error) {
	r := new(record)
	if err := r.decode(key, value); err != nil {
		return nil, err
	}
	return r, nil
}

// decode sets r to the record at a key. After an error, r is not valid. A text that is the same as in r before is not
// copied, so using r again for the next call saves memory.
func (r *record) decode(key, value []byte) error {
	fields, err := unseal(checksum(key), value)
	if err != nil {
		return err
	}
	if len(key) != 8 || !r.decodeFields(fields) {
		return errDamaged
	}
	r.number = binary.BigEndian.Uint64(key)
	return nil
}

// decodeFields reports false if fields is not what encode writes.
func (r *record) decodeFields(fields []byte) bool {
	d := decoder{rest: fields, ok: true}
	*r = record{id: r.id, handler: r.handler, key: r.key, end: r.end, lastErr: r.lastErr, left: r.left, state: state(d.byte())}
	flags := d.byte()
	r.maybeRan = flags&(1<<4) != 0
	r.seq, r.left.seq = d.uvarint(), d.uvarint()
	for _, s := range r.texts() {
		if b := d.bytes(d.uvarint()); string(b) != *s {
			*s = string(b)
		}
	}
	r.priority, r.cost, r.attempts, r.crashes = d.int(), d.varint(), d.int(), d.int()
	if n := d.uvarint(); n > uint64(len(d.rest)) {
		return false
	} else if n > 0 {
		r.costs = make(map[string]int64, n)
		for range n {
			r.costs[d.text()] = d.varint()
		}
		d.ok = d.ok && len(r.costs) == int(n)
	}
	for i, t := range r.times() {
		if flags&(1<<i) != 0 {
			*t = time.Unix(d.varint(), int64(d.nanoseconds())).UTC()
			d.ok = d.ok && !t.IsZero()
		}
	}
	for _, p := range [...]*body{&r.payload, &r.results} {
		*p = body{d.uvarint(), binary.LittleEndian.Uint32(d.bytes(4))}
	}
	return d.ok && len(d.rest) == 0 && flags < 1<<5 && r.state >= waiting && r.state <= ended
}

// decoder reads values one after another. If one is missing, ok becomes false, and it and all later ones are zero.
type decoder struct {
	rest []byte
	ok   bool
}

func (d *decoder) bytes(n uint64) []byte {
	if d.ok = d.ok && n <= uint64(len(d.rest)); !d.ok {
		return make([]byte, min(n, 8))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

func (d *decoder) text() string {
	b := d.bytes(d.uvarint())
	if !d.ok {
		return ""
	}
	return string(b)
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.rest)
	if d.ok = d.ok && n > 0; !d.ok {
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) varint() int64 {
	x := d.uvarint()
	return int64(x>>1) ^ -int64(x&1)
}

func (d *decoder) int() int {
	x := d.varint()
	d.ok = d.ok && x >= math.MinInt && x <= math.MaxInt
	return int(x)
}

func (d *decoder) nanoseconds() uint64 {
	x := d.uvarint()
	d.ok = d.ok && x < 1e9
	return x
}
