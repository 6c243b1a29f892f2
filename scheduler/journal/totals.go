package journal

import (
	"cmp"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// summary tells what the file should contain after a commit. A survey compares it with what it finds, and so notices a
// page that is missing or out of date, although all of its records check.
//
// It is in the file twice. The one in totals is in the page of the root, since bbolt keeps small buckets there. So each
// root that is found tells of which commit it is. The one in levels is in another page. So the last commit is known even
// if its root is lost.
type summary struct {
	seq         uint64 // counts commits
	tx          uint64 // bbolt's number of the commit, which is also in its meta
	lastNumber  uint64 // the highest number of a call so far
	clean       bool
	live, ended tally
	levels      body
}

// compare tells which of two summaries is of the later commit. A commit that a crash has stopped leaves its number to
// the next transaction, but not its seq.
func (s *summary) compare(other *summary) int {
	return cmp.Or(cmp.Compare(s.tx, other.tx), cmp.Compare(s.seq, other.seq))
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

// encode returns the summary's value in the file, with so many more bytes.
func (s *summary) encode(more int) []byte {
	b := append(make([]byte, headSize, 96+more), 0)
	if s.clean {
		b[headSize] = 1
	}
	for _, n := range s.numbers() {
		b = binary.LittleEndian.AppendUint64(b, *n)
	}
	b = binary.LittleEndian.AppendUint32(b, s.levels.sum)
	return seal(checksum(only), append(b, make([]byte, more)...))
}

// numbers returns the summary's numbers, in the order of the file.
func (s *summary) numbers() [8]*uint64 {
	return [...]*uint64{&s.seq, &s.tx, &s.lastNumber, &s.live.count, &s.live.sum, &s.ended.count, &s.ended.sum, &s.levels.size}
}

func decodeSummary(value []byte) (*summary, error) {
	fields, err := unseal(checksum(only), value)
	if err != nil {
		return nil, err
	}
	s, d := new(summary), decoder{rest: fields, ok: true}
	s.clean = d.byte() == 1
	for _, n := range s.numbers() {
		*n = binary.LittleEndian.Uint64(d.bytes(8))
	}
	s.levels.sum = binary.LittleEndian.Uint32(d.bytes(4))
	if !d.ok {
		return nil, errDamaged
	}
	return s, nil
}

// writeTotals stores the summary, and levels that are not nil.
func writeTotals(tx *bbolt.Tx, s *summary, now []byte) error {
	s.tx = uint64(tx.ID())
	if now != nil {
		s.levels = bodyOf(now)
		value := append(make([]byte, headSize, headSize+len(now)), now...)
		if err := tx.Bucket(levels).Put(only, seal(checksum(only), value)); err != nil {
			return err
		}
	}
	// bbolt keeps a bucket of more than a quarter of a page out of the root's page.
	if err := tx.Bucket(levels).Put(second, s.encode(pageSize/4)); err != nil {
		return err
	}
	return tx.Bucket(totals).Put(only, s.encode(0))
}

// addBody counts a payload or result.
func (t *tally) addBody(number uint64, b body) {
	t.count++
	t.sum += mix(number ^ b.size*0x9e3779b97f4a7c15 ^ uint64(b.sum)<<32)
}
