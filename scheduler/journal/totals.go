package journal

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// summary tells what the file should contain after a commit. A survey compares it with what it finds, and so notices a
// page that is missing or out of date, although all of its records check.
type summary struct {
	seq         uint64 // counts commits
	lastNumber  uint64 // the highest number of a call so far
	clean       bool
	live, ended tally
	levels      body
}

// tally is a count of records, and the sum of their hashes.
type tally struct{ count, sum uint64 }

// hash returns the hash of a record in the file, from its number and its CRC.
func hash(number uint64, value []byte) uint64 {
	return mix(number ^ uint64(binary.LittleEndian.Uint32(value))<<32)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s *summary) tally(st state) *tally {
	if st == ended {
		return &s.ended
	}
	return &s.live
}

func (s *summary) add(st state, number uint64, value []byte) {
	t := s.tally(st)
	t.count++
	t.sum += hash(number, value)
	s.lastNumber = max(s.lastNumber, number)
}

func (s *summary) remove(st state, number uint64, value []byte) {
	t := s.tally(st)
	t.count--
	t.sum -= hash(number, value)
}

// encode returns the summary's value in the file.
func (s *summary) encode() []byte {
	b := append(make([]byte, headSize, 96), 0)
	if s.clean {
		b[headSize] = 1
	}
	for _, n := range s.numbers() {
		b = binary.LittleEndian.AppendUint64(b, *n)
	}
	return seal(checksum(only), binary.LittleEndian.AppendUint32(b, s.levels.sum))
}

// numbers returns the summary's numbers, in the order of the file.
func (s *summary) numbers() [7]*uint64 {
	return [...]*uint64{&s.seq, &s.lastNumber, &s.live.count, &s.live.sum, &s.ended.count, &s.ended.sum, &s.levels.size}
}

func decodeSummary(value []byte) (s summary, err error) {
	fields, err := unseal(checksum(only), value)
	if err != nil {
		return s, err
	}
	d := decoder{rest: fields, ok: true}
	s.clean = d.byte() == 1
	for _, n := range s.numbers() {
		*n = binary.LittleEndian.Uint64(d.bytes(8))
	}
	s.levels.sum = binary.LittleEndian.Uint32(d.bytes(4))
	if !d.ok || len(d.rest) > 0 {
		return summary{}, errDamaged
	}
	return s, nil
}

// writeTotals stores the summary, and levels that are not nil.
func writeTotals(tx *bbolt.Tx, s *summary, now []byte) error {
	if now != nil {
		s.levels = bodyOf(now)
		value := append(make([]byte, headSize, headSize+len(now)), now...)
		if err := tx.Bucket(levels).Put(only, seal(checksum(only), value)); err != nil {
			return err
		}
	}
	return tx.Bucket(totals).Put(only, s.encode())
}

// addBody counts a payload or result.
func (t *tally) addBody(number uint64, b body) {
	t.count++
	t.sum += mix(number ^ b.size*0x9e3779b97f4a7c15 ^ uint64(b.sum)<<32)
}
