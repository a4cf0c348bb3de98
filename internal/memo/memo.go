// Package memo keeps the results of pure functions by the digest of their input in one file, so that a restart does
// not compute them again.
//
// It is best effort. What [File.Get] returns is what [File.Put] was given: every value has a checksum that covers its
// key. But a value may be gone at any time: a damaged, torn or foreign file, or one written for another version, is
// an empty memo and no error; a value that does not match its checksum is not there; nothing is synced to the disk,
// so a crash of the machine may lose what was put last. A file that another process has open serves what it held
// when it was opened and keeps nothing new. The file may be deleted while no process writes it.
//
// Keys are 64-bit digests, so a caller that cannot bear one input in 2^64 being taken for another keeps what it needs
// to tell inside the value.
package memo

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"freshet/internal/digest"
)

// The file is a header, then records one after another. A record is a head of headSize bytes and its payload:
//
//	kind u32, length of the payload u32, key u64, CRC-32C of the payload u32, CRC-32C of the 20 bytes before u32
//
// all little-endian. A value's payload is the value. An index lists the values between it and the index before it,
// so that opening need not look at every record: offset of the index before it u64 (0: none), then for each value
// key u64, offset u64, length u32, CRC-32C u32. A trailer is a head alone whose key is the offset of the index just
// before it; a file that was flushed ends with one.
const (
	magic      = "freshetM"
	headerSize = 16 // magic, version u64
	headSize   = 24
	itemSize   = 24

	kindValue   = 0x756c6156 // "Valu"
	kindIndex   = 0x78646e49 // "Indx"
	kindTrailer = 0x6c696154 // "Tail"

	flushBytes = 1 << 20   // how much is buffered before it is written
	flushItems = 1 << 13   // how many values are listed before they are written into an index
	maxValue   = 256 << 20 // larger values are not kept
)

// usedBit marks an item of the index whose value was asked for or put since Open.
const usedBit = 1 << 63

// crcTable makes CRC-32C, which processors have an instruction for.
var crcTable = crc32.MakeTable(crc32.Castagnoli)

// A File is an open memo. Its methods may be called from any goroutine.
type File struct {
	path     string
	version  digest.Sum
	readOnly bool // another process has the file

	// files is held for reading while f is read outside mu, and for writing while it is replaced.
	files sync.RWMutex
	f     *os.File

	mu     sync.Mutex
	index  map[digest.Sum]item
	buf    []byte // what is to be written at size
	size   int64  // bytes of the file that are written
	recent []keyed
	blocks []block // the indexes in the file, oldest first
	broken error   // writing failed: nothing is written any more
	closed bool
}

// item is the place of a value. off also holds usedBit.
type item struct {
	off uint64
	len uint32
	crc uint32
}

func (it item) offset() int64 { return int64(it.off &^ usedBit) }

type keyed struct {
	key digest.Sum
	item
}

type block struct {
	off   int64
	count int
}

// Open opens the memo at path, making it and its folder if they are not there. version names whatever else the
// values depend on, such as the program that made them: a file written for another version is emptied.
func Open(path string, version digest.Sum) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open memo: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open memo: %w", err)
	}
	m := &File{path: path, version: version, f: f, index: map[digest.Sum]item{}}
	if err := lock(f); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock memo %s: %w", path, err)
		}
		m.readOnly = true
	}
	if err := m.load(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read memo %s: %w", path, err)
	}
	return m, nil
}

func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// load fills the index from the file. If it cannot, it empties the file.
func (m *File) load() error {
	info, err := m.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	var head [headerSize]byte
	if n, err := m.f.ReadAt(head[:], 0); n < headerSize {
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return m.reset()
	}
	if string(head[:8]) != magic || digest.Sum(binary.LittleEndian.Uint64(head[8:])) != m.version {
		return m.reset()
	}
	if m.loadIndex(size) {
		m.size = size
		return nil
	}
	m.scan(size)
	if m.size < size && !m.readOnly {
		return m.f.Truncate(m.size)
	}
	return nil
}

// reset makes the memo and its file empty.
func (m *File) reset() error {
	m.index, m.blocks, m.recent, m.buf, m.size = map[digest.Sum]item{}, nil, nil, nil, 0
	if m.readOnly {
		return nil
	}
	if err := m.f.Truncate(0); err != nil {
		return err
	}
	if _, err := m.f.WriteAt(header(m.version), 0); err != nil {
		return err
	}
	m.size = headerSize
	return nil
}

func header(version digest.Sum) []byte {
	return binary.LittleEndian.AppendUint64([]byte(magic), uint64(version))
}

// loadIndex reads the chain of indexes that a trailer at the end of the file leads to, and reports whether it was
// whole. If not, nothing of it is kept.
func (m *File) loadIndex(size int64) bool {
	kind, n, key, _, ok := m.readHead(size-headSize, size)
	if !ok || kind != kindTrailer || n != 0 {
		return false
	}
	index := map[digest.Sum]item{}
	var blocks []block
	for off, end := int64(key), size-headSize; off != 0; {
		items, prev, ok := m.readIndex(off, end)
		if !ok {
			return false
		}
		if blocks == nil {
			// The newest index must end where the trailer begins, or values would be missed.
			if off+headSize+8+int64(len(items))*itemSize != end {
				return false
			}
			index = make(map[digest.Sum]item, len(items))
		}
		for _, k := range slices.Backward(items) { // of two values for a key the later one counts
			if _, ok := index[k.key]; !ok {
				index[k.key] = k.item
			}
		}
		blocks = append(blocks, block{off, len(items)})
		off, end = prev, off
	}
	slices.Reverse(blocks)
	m.index, m.blocks = index, blocks
	return true
}

// readHead reads the head of the record at off of a file that ends at end.
func (m *File) readHead(off, end int64) (kind, n uint32, key uint64, crc uint32, ok bool) {
	if off < headerSize || end-off < headSize {
		return 0, 0, 0, 0, false
	}
	var b [headSize]byte
	if _, err := m.f.ReadAt(b[:], off); err != nil {
		return 0, 0, 0, 0, false
	}
	return parseHead(b[:], end-off)
}

// parseHead reads a head; room is how many bytes of the file there are from its beginning.
func parseHead(b []byte, room int64) (kind, n uint32, key uint64, crc uint32, ok bool) {
	if crc32.Checksum(b[:20], crcTable) != binary.LittleEndian.Uint32(b[20:]) {
		return 0, 0, 0, 0, false
	}
	kind, n = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	key, crc = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint32(b[16:])
	return kind, n, key, crc, int64(n) <= room-headSize
}

func appendHead(b []byte, kind uint32, n int, key uint64, crc uint32) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint64(b, key)
	b = binary.LittleEndian.AppendUint32(b, crc)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], crcTable))
}

// readIndex reads the index at off, which must end at or before end. All it lists lies before it.
func (m *File) readIndex(off, end int64) (items []keyed, prev int64, ok bool) {
	kind, n, _, crc, ok := m.readHead(off, end)
	if !ok || kind != kindIndex || n < 8 || (n-8)%itemSize != 0 {
		return nil, 0, false
	}
	b := make([]byte, n)
	if _, err := m.f.ReadAt(b, off+headSize); err != nil || crc32.Checksum(b, crcTable) != crc {
		return nil, 0, false
	}
	prev = int64(binary.LittleEndian.Uint64(b))
	if prev < 0 || prev >= off {
		return nil, 0, false
	}
	items = make([]keyed, 0, (n-8)/itemSize)
	for b = b[8:]; len(b) > 0; b = b[itemSize:] {
		k := keyed{digest.Sum(binary.LittleEndian.Uint64(b)), item{
			off: binary.LittleEndian.Uint64(b[8:]), len: binary.LittleEndian.Uint32(b[16:]), crc: binary.LittleEndian.Uint32(b[20:])}}
		if k.off < headerSize+headSize || k.off > uint64(off) || uint64(k.len) > uint64(off)-k.off {
			return nil, 0, false
		}
		items = append(items, k)
	}
	return items, prev, true
}

// scan fills the index record by record, up to the first that is not whole, after which m.size ends the file.
func (m *File) scan(size int64) {
	m.size = headerSize
	for {
		kind, n, key, crc, ok := m.readHead(m.size, size)
		if !ok {
			return
		}
		at := m.size + headSize
		if kind == kindValue {
			k := keyed{digest.Sum(key), item{off: uint64(at), len: n, crc: crc}}
			m.index[k.key] = k.item
			m.recent = append(m.recent, k) // the next index lists them all: older ones are out of the chain
		}
		m.size = at + int64(n)
	}
}

// Get returns the value that was put for key, and marks it as used. The caller may keep and change the bytes.
func (m *File) Get(key digest.Sum) (value []byte, ok bool) {
	m.files.RLock()
	defer m.files.RUnlock()

	m.mu.Lock()
	it, ok := m.index[key]
	if !ok || m.closed {
		m.mu.Unlock()
		return nil, false
	}
	if it.off&usedBit == 0 {
		it.off |= usedBit
		m.index[key] = it
	}
	value = make([]byte, it.len)
	if at := it.offset() - m.size; at >= 0 {
		copy(value, m.buf[at:])
		m.mu.Unlock()
		return value, true
	}
	m.mu.Unlock()

	if _, err := m.f.ReadAt(value, it.offset()); err == nil && m.intact(key, it, value) {
		return value, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.index[key] == it {
		delete(m.index, key)
	}
	return nil, false
}

// intact reports whether value was put for key. The checksum covers both.
func (m *File) intact(key digest.Sum, it item, value []byte) bool {
	return checksum(key, value) == it.crc
}

// checksum covers the key, so that a value that a damaged index ascribes to another key is not taken for its own.
func checksum(key digest.Sum, value []byte) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(key))
	return crc32.Update(crc32.Checksum(b[:], crcTable), crcTable, value)
}

// Put keeps value for key in place of what was there, and marks it as used. It copies value into a buffer that is
// written when it is full, by Flush and by Close; an error of writing is Flush's to report.
func (m *File) Put(key digest.Sum, value []byte) {
	if m.readOnly || len(value) > maxValue {
		return
	}
	crc := checksum(key, value)

	m.files.RLock()
	defer m.files.RUnlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.broken != nil {
		return
	}
	if it, ok := m.index[key]; ok && it.crc == crc && int(it.len) == len(value) {
		it.off |= usedBit
		m.index[key] = it
		return
	}
	if len(m.buf) > 0 && len(m.buf)+headSize+len(value) > flushBytes {
		if m.write() != nil {
			return
		}
	}
	m.buf = appendHead(m.buf, kindValue, len(value), uint64(key), crc)
	it := item{off: uint64(m.size) + uint64(len(m.buf)), len: uint32(len(value)), crc: crc}
	m.buf = append(m.buf, value...)
	m.recent = append(m.recent, keyed{key, it})
	it.off |= usedBit
	m.index[key] = it
	if len(m.recent) >= flushItems {
		_ = m.flush() // an error is kept for Flush
	}
}

// write writes the buffer. The caller holds mu. After an error the memo keeps what was written and takes nothing new.
func (m *File) write() error {
	if m.broken != nil {
		return m.broken
	}
	if _, err := m.f.WriteAt(m.buf, m.size); err != nil {
		m.broken = fmt.Errorf("write memo %s: %w", m.path, err)
		for _, k := range m.recent {
			if it := m.index[k.key]; it.offset() >= m.size {
				delete(m.index, k.key)
			}
		}
		m.buf, m.recent = nil, nil
		_ = m.f.Truncate(m.size) // if it fails the next Open finds the torn end
		return m.broken
	}
	m.size += int64(len(m.buf))
	if m.buf = m.buf[:0]; cap(m.buf) > 2*flushBytes {
		m.buf = nil // it held a long index
	}
	return nil
}

// Flush writes what was put, with an index, so that the next Open is fast.
func (m *File) Flush() error {
	m.files.RLock()
	defer m.files.RUnlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flush()
}

// flush is Flush with mu held.
func (m *File) flush() error {
	if m.closed || m.readOnly {
		return nil
	}
	if m.broken != nil || len(m.recent) == 0 {
		return m.broken
	}
	// An index takes in the one before it while that is not twice as large, so that the chain is as long as the
	// logarithm of the number of values, and each value is listed anew about as often.
	items := m.recent
	keep := len(m.blocks)
	for keep > 0 && m.blocks[keep-1].count < 2*len(items) {
		old, _, ok := m.readIndex(m.blocks[keep-1].off, m.size)
		if !ok {
			m.broken = fmt.Errorf("write memo %s: its index is damaged", m.path)
			return m.broken
		}
		items = append(old, items...)
		keep--
	}
	blocks := m.blocks[:keep:keep]
	var prev int64
	if keep > 0 {
		prev = blocks[keep-1].off
	}
	off := m.size + int64(len(m.buf))
	m.buf = appendIndex(m.buf, off, prev, items)
	if err := m.write(); err != nil {
		return err
	}
	m.blocks, m.recent = append(blocks, block{off, len(items)}), nil
	return nil
}

// appendIndex appends an index that is to stand at off, and its trailer.
func appendIndex(b []byte, off, prev int64, items []keyed) []byte {
	payload := make([]byte, 0, 8+itemSize*len(items))
	payload = binary.LittleEndian.AppendUint64(payload, uint64(prev))
	for _, k := range items {
		payload = binary.LittleEndian.AppendUint64(payload, uint64(k.key))
		payload = binary.LittleEndian.AppendUint64(payload, uint64(k.offset()))
		payload = binary.LittleEndian.AppendUint32(payload, k.len)
		payload = binary.LittleEndian.AppendUint32(payload, k.crc)
	}
	b = appendHead(b, kindIndex, len(payload), 0, crc32.Checksum(payload, crcTable))
	b = append(b, payload...)
	return appendHead(b, kindTrailer, 0, uint64(off), 0)
}

// Trim is for after a full build: if at least half of the file is what was not used since Open, the file is written
// anew without it. Other calls wait meanwhile.
func (m *File) Trim() error {
	if m.readOnly {
		return nil
	}
	m.files.Lock()
	defer m.files.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	if err := m.flush(); err != nil {
		return err
	}
	var used []keyed
	live := int64(headerSize)
	for key, it := range m.index {
		if it.off&usedBit != 0 {
			used = append(used, keyed{key, it})
			live += headSize + int64(it.len) + itemSize
		}
	}
	if (m.size-live)*2 < m.size {
		return nil
	}
	slices.SortFunc(used, func(a, b keyed) int { return cmp.Compare(a.offset(), b.offset()) })
	if err := m.rewrite(used); err != nil {
		return fmt.Errorf("trim memo %s: %w", m.path, err)
	}
	return nil
}

// rewrite replaces the file by one that holds used, which is in the order of the file.
func (m *File) rewrite(used []keyed) (err error) {
	f, err := os.OpenFile(m.path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := lock(f); err != nil {
		return err
	}
	n := &File{path: f.Name(), version: m.version, f: f, index: make(map[digest.Sum]item, len(used))}
	if err := n.reset(); err != nil {
		return err
	}
	var value []byte
	for _, k := range used {
		value = slices.Grow(value[:0], int(k.len))[:k.len]
		if _, err := m.f.ReadAt(value, k.offset()); err != nil || !m.intact(k.key, k.item, value) {
			continue // damaged: as if it had never been put
		}
		n.Put(k.key, value)
	}
	if err := n.Flush(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), m.path); err != nil {
		return err
	}
	_ = m.f.Close() // nothing is buffered in it that matters
	m.f, m.index, m.buf, m.size, m.recent, m.blocks = n.f, n.index, n.buf, n.size, n.recent, n.blocks
	return nil
}

// Len is the number of values.
func (m *File) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.index)
}

// Close flushes and closes the file. Afterwards Get finds nothing and Put keeps nothing.
func (m *File) Close() error {
	m.files.Lock()
	defer m.files.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	err := m.flush()
	m.closed = true
	if cerr := m.f.Close(); err == nil && cerr != nil && !errors.Is(cerr, fs.ErrClosed) {
		err = fmt.Errorf("close memo %s: %w", m.path, cerr)
	}
	return err
}
