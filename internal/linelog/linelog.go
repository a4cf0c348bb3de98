// Package linelog holds the parts of journals of lines: lines with a checksum, and the replacement of a file that a crash leaves
// either as it was or as it is to be.
//
// A line is the CRC-32C of its JSON in 8 hexadecimal digits, a space, the JSON. A line that was cut off or spoiled does
// not decode; which lines matter, and what a torn end means, is for those who keep the journal.
package linelog

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the line of a record, with its end.
func Append(b []byte, record any) ([]byte, error) {
	text, err := json.Marshal(record)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

// Decode reads a line without its end. It reports whether the line is whole.
func Decode(line []byte, record any) bool {
	if len(line) < 10 || line[8] != ' ' {
		return false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	return err == nil && crc32.Checksum(line[9:], castagnoli) == uint32(sum) && json.Unmarshal(line[9:], record) == nil
}

// Replace puts a file with that text in the place of name, and returns it open for appending. With an error and a file
// it is in its place, but may not be after the machine has crashed; with an error alone nothing has changed.
func Replace(name string, text []byte, perm fs.FileMode) (*os.File, error) {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, perm)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(tmp))
	}
	return f, syncFolder(filepath.Dir(name))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
