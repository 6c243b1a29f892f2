package journal

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// Damage is a call or a part of the file that could not be read when the file was opened. It is not run. Each Open tells
// of it until a Close. The damaged file is kept under another name, which is in the reason.
type Damage struct {
	Number  uint64 // of the call, or 0 if that is not known or if it is not about one call
	ID      string // of the call, if it is known
	Handler string // likewise
	Payload []byte // if it could be read
	Reason  string
	Found   time.Time
}

// encode returns the value of a damage in the bucket aside.
func (d *Damage) encode(key []byte) []byte {
	b := make([]byte, headSize, 64+len(d.Payload))
	for _, s := range [...]string{d.ID, d.Handler, d.Reason, string(d.Payload)} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return seal(checksum(key), binary.AppendVarint(b, d.Found.UnixNano()))
}

func decodeDamage(key, value []byte) (d Damage, err error) {
	fields, err := unseal(checksum(key), value)
	if err != nil {
		return d, err
	}
	in := decoder{rest: fields, ok: true}
	d = Damage{ID: in.text(), Handler: in.text(), Reason: in.text(), Payload: []byte(in.text())}
	d.Found = time.Unix(0, in.varint()).UTC()
	if !in.ok || len(in.rest) > 0 || len(key) != 12 {
		return Damage{}, errDamaged
	}
	d.Number = binary.BigEndian.Uint64(key)
	return d, nil
}

// emptyAside removes the damages that were told.
func emptyAside(tx *bbolt.Tx) error {
	if err := tx.DeleteBucket(aside); err != nil {
		return err
	}
	_, err := tx.CreateBucket(aside)
	return err
}
