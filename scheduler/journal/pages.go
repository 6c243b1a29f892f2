package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"iter"
	"os"
)

// bbolt trusts its file. A changed byte can make it panic, fault, loop, or return another page's data. So its pages are
// read here first, in its layout. A page begins with its id (8 bytes), kind (2), count of elements (2) and count of further
// pages (4). Then come the elements, of 16 bytes each, and then their keys and values, in order.

// pageSize is the size of the pages of our files, on all machines.
const pageSize = 4096

const pageHead, elementSize = 16, 16

// The kinds of pages.
const (
	branchPage = 1
	leafPage   = 2
)

var native = binary.NativeEndian

// pages are the pages of a file, which may be damaged.
type pages struct {
	file  *os.File
	count uint64 // of whole pages
}

// withPages opens a file while do reads its pages.
func withPages(path string, do func(*pages) error) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = do(&pages{file, uint64(info.Size()) / pageSize})
	}
	return errors.Join(err, file.Close())
}

// meta is the root of the tree of a commit. The first two pages of the file have those of the latest two commits.
type meta struct {
	ok   bool
	tx   uint64
	root uint64
	end  uint64 // the id after the last page in use
}

// readMeta reads a meta page. It is not ok if its checksum is wrong.
func (p *pages) readMeta(slot uint64) (m meta) {
	b := make([]byte, pageHead+64)
	if _, err := p.file.ReadAt(b, int64(slot*pageSize)); err != nil {
		return meta{}
	}
	b = b[pageHead:]
	sum := fnv.New64a()
	sum.Write(b[:56])
	m = meta{tx: native.Uint64(b[48:]), root: native.Uint64(b[16:]), end: native.Uint64(b[40:])}
	m.ok = native.Uint32(b) == 0xED0CDAED && native.Uint32(b[4:]) == 2 && native.Uint32(b[8:]) == pageSize &&
		native.Uint64(b[56:]) == sum.Sum64() && m.tx%2 == slot
	return m
}

// metas returns both metas, the newest first. It reports false if one is damaged, or if they are not of successive commits.
func (p *pages) metas() (all [2]meta, ok bool) {
	all = [2]meta{p.readMeta(0), p.readMeta(1)}
	if !all[0].ok || all[1].ok && all[1].tx > all[0].tx {
		all[0], all[1] = all[1], all[0]
	}
	return all, all[0].ok && all[1].ok && all[0].tx == all[1].tx+1 && all[0].end <= p.count
}

// rewriteMeta writes the newest meta again, and waits until it is on disk. If the fsync of the last commit failed, the
// system may show a meta that is not on disk.
func (p *pages) rewriteMeta(m meta) error {
	b, at := make([]byte, pageSize), int64(m.tx%2*pageSize)
	if _, err := p.file.ReadAt(b, at); err != nil {
		return err
	}
	if _, err := p.file.WriteAt(b, at); err != nil {
		return err
	}
	return p.file.Sync()
}

// page is a leaf or branch.
type page struct {
	kind  uint16
	count int
	more  uint64 // further pages
	at    int64  // where it is in the file
	bytes []byte // of all pages
}

// read reads the page with an id. It uses buffer if that is large enough. It reports false if the page is damaged, and
// then returns what it can guess of it.
func (p *pages) read(id uint64, buffer []byte) (page, bool) {
	if id < 2 || id >= p.count {
		return page{}, false
	}
	b, ok := p.bytes(id, 1, buffer)
	if !ok {
		return page{}, false
	}
	found := page{
		kind: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), more: uint64(native.Uint32(b[12:])),
		at: int64(id * pageSize), bytes: b,
	}
	isHere := native.Uint64(b) == id
	if found.more >= p.count-id {
		found.more, ok = 0, false
	}
	if found.more > 0 {
		found.bytes, ok = p.bytes(id, 1+found.more, b)
	}
	ok = found.mend() && ok && isHere
	if need := found.size() / pageSize; isHere && need != found.more && need < p.count-id {
		found.bytes, _ = p.bytes(id, 1+need, found.bytes)
		found.more, ok = need, false
	}
	return found, ok
}

// bytes reads n pages.
func (p *pages) bytes(id, n uint64, buffer []byte) ([]byte, bool) {
	if size := int(n * pageSize); cap(buffer) < size {
		buffer = make([]byte, size)
	}
	b := buffer[:n*pageSize]
	_, err := p.file.ReadAt(b, int64(id*pageSize))
	return b, err == nil
}

// size returns the position of the page's last byte, by what its elements say.
func (p *page) size() (last uint64) {
	for i := range p.count {
		at := pageHead + i*elementSize
		b := p.bytes[at:]
		size := uint64(native.Uint32(b)) + uint64(native.Uint32(b[4:]))
		if p.kind == leafPage {
			size = uint64(native.Uint32(b[4:])) + uint64(native.Uint32(b[8:])) + uint64(native.Uint32(b[12:]))
		}
		last = max(last, uint64(at)+size-1)
	}
	return last
}

// bucketHead is the size of a bucket's value, which begins with the id of its page. If that is 0, the page itself follows.
const bucketHead = 16

// inside reads a page that is in the value of a bucket's element.
func (e element) inside() (page, bool) {
	if len(e.value) < bucketHead+pageHead {
		return page{}, false
	}
	b := e.value[bucketHead:]
	found := page{kind: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), at: e.at + bucketHead, bytes: b}
	return found, found.mend() && found.kind == leafPage
}

// mend reports whether the kind and count in the head of a page are right. If not, it guesses them. The count also
// follows from the first element, since its key begins where the elements end.
func (p *page) mend() bool {
	if len(p.bytes) < pageHead+elementSize {
		none := p.count == 0
		p.count = 0
		return none && p.kind == leafPage
	}
	most := (len(p.bytes) - pageHead) / elementSize
	var counts [3]int // by kind of page, from the first element
	for kind := branchPage; kind <= leafPage; kind++ {
		at := pageHead + (kind-branchPage)*4
		counts[kind] = int(min(native.Uint32(p.bytes[at:])/elementSize, uint32(most+1)))
	}
	known := p.kind == branchPage || p.kind == leafPage
	if known && counts[p.kind] == p.count && p.count <= most {
		return true
	}
	for _, kind := range [...]uint16{branchPage, leafPage} {
		if !known || counts[kind] == p.count && p.count > 0 {
			p.kind, known = kind, counts[kind] == p.count
		}
	}
	if count := counts[p.kind]; count <= most {
		p.count = max(p.count, count)
	}
	p.count = min(p.count, most)
	return false
}

// element is a key with its value, or with the page below it. Ok is false if it points outside of its page.
type element struct {
	key, value []byte
	at         int64 // where the value is in the file
	child      uint64
	isBucket   bool
	ok         bool
}

// elements returns the elements of a page in their order.
func (p *page) elements() iter.Seq[element] {
	return func(yield func(element) bool) {
		for i := range p.count {
			if !yield(p.element(i)) {
				return
			}
		}
	}
}

func (p *page) element(i int) (e element) {
	at := pageHead + i*elementSize
	b := p.bytes[at:]
	var position, keySize, valueSize uint32
	if p.kind == branchPage {
		position, keySize, e.child = native.Uint32(b), native.Uint32(b[4:]), native.Uint64(b[8:])
	} else {
		e.isBucket = native.Uint32(b) == 1
		position, keySize, valueSize = native.Uint32(b[4:]), native.Uint32(b[8:]), native.Uint32(b[12:])
		if native.Uint32(b) > 1 {
			return e
		}
	}
	if uint64(position)+uint64(keySize)+uint64(valueSize) > uint64(len(b)) || position < elementSize {
		return e
	}
	b = b[position:]
	e.at = p.at + int64(at) + int64(position) + int64(keySize)
	e.key, e.value, e.ok = b[:keySize], b[keySize:uint64(keySize)+uint64(valueSize)], true
	return e
}

// keyRange are the keys from low on and below high. Nil is no bound.
type keyRange struct{ low, high []byte }

func (r keyRange) has(key []byte) bool {
	return bytes.Compare(key, r.low) >= 0 && (r.high == nil || bytes.Compare(key, r.high) < 0)
}
