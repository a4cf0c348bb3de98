package pagestore

import (
	"encoding/binary"
	"fmt"
)

// bufferBytes is the number of bytes that are gathered before they are written to a segment.
const bufferBytes = 1 << 20

// An appender adds records to a segment through a buffer. After an error of any method, cut must be called before anything
// else is appended.
type appender struct {
	before func(step, name string) error
	seg    *segment
	buf    []byte // to be written at size
	size   int64  // what is written
}

// end returns the offset at which the next record will begin.
func (a *appender) end() int64 { return a.size + int64(len(a.buf)) }

// cut cuts off what follows size.
func (a *appender) cut(size int64) { a.buf, a.size = a.buf[:0], size }

func (a *appender) writeAt(b []byte, off int64) error {
	if err := a.before("write", a.seg.name); err != nil {
		return err
	}
	_, err := a.seg.f.WriteAt(b, off)
	return err
}

// append adds a record given in parts, and returns its offset.
func (a *appender) append(parts ...[]byte) (off int64, err error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if len(a.buf) > 0 && len(a.buf)+n > bufferBytes {
		if err := a.flush(); err != nil {
			return 0, err
		}
	}
	if a.buf == nil {
		a.buf = make([]byte, 0, max(n, bufferBytes))
	}
	off = a.end()
	for _, p := range parts {
		a.buf = append(a.buf, p...)
	}
	return off, nil
}

// flush writes the buffer.
func (a *appender) flush() error {
	if len(a.buf) == 0 {
		return nil
	}
	if err := a.writeAt(a.buf, a.size); err != nil {
		return fmt.Errorf("write page log: %w", err)
	}
	a.size = a.end()
	if a.buf = a.buf[:0]; cap(a.buf) > 2*bufferBytes {
		a.buf = nil
	}
	return nil
}

// appendCommit adds a commit's record, and sets its offset in c.
func (a *appender) appendCommit(c *span) error {
	c.off = a.end()
	payload := encodeCommit(c, a.seg.salt, a.seg.site)
	head := appendHead(make([]byte, 0, headSize), a.seg.salt, typeCommit, payload)
	if _, err := a.append(head, payload); err != nil {
		return err
	}
	c.end = c.off + headSize + int64(len(payload))
	c.sum = binary.LittleEndian.Uint32(head[5:])
	return nil
}
