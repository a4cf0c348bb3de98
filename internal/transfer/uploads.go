package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/extjson"
)

// Uploads are the files that documents name by addresses such as /uploads/weir.png. They are copied into the static
// folder of a content tree, where those addresses find them.
type Uploads struct {
	From string             // folder that holds them
	To   string             // the static folder
	Map  map[string]*string // address -> file below From, nil: it is known to be gone; addresses not in it are files below From, with uploads/ and static/uploads/ before them or without

	named map[string]bool
}

// ReadMap reads Map from an uploads.json, if there is one: an object that gives for each address a file, or null when it is gone. The one in
// From counts before those beside the exports.
func (u *Uploads) ReadMap(in Input) error {
	files := []string{filepath.Join(u.From, "uploads.json")}
	for _, file := range in.Files {
		files = append(files, filepath.Join(filepath.Dir(file), "uploads.json"))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &u.Map); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		return nil
	}
	return nil
}

// uploadAddress finds the addresses of uploads in text. Those in other sites' addresses are not among them.
var uploadAddress = regexp.MustCompile(`(?:^|[\s"'(<=\[])(/uploads/[^\s"'()<>\[\]\\` + "`" + `?#]+)`)

// note remembers the uploads that a document names.
func (u *Uploads) note(d extjson.Doc) {
	if u.named == nil {
		u.named = map[string]bool{}
	}
	for _, f := range d {
		u.noteIn(f.Value)
	}
}

func (u *Uploads) noteIn(v extjson.Value) {
	if v.Type == extjson.String && strings.Contains(v.Text, "/uploads/") {
		for _, m := range uploadAddress.FindAllStringSubmatch(v.Text, -1) {
			u.named[m[1]] = true
		}
	}
	for _, f := range v.Doc {
		u.noteIn(f.Value)
	}
	for _, it := range v.Items {
		u.noteIn(it)
	}
}

// copy brings the named files over. Files that are there already stay.
func (u *Uploads) copy(ctx context.Context, im *Importer) error {
	from, err := os.OpenRoot(u.From)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there are no uploads
	}
	if err != nil {
		return fmt.Errorf("open the folder of uploads: %w", err)
	}
	defer from.Close()
	addresses := make([]string, 0, len(u.named))
	for a := range u.named {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	for _, address := range addresses {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.copyOne(from, address, im); err != nil {
			return err
		}
	}
	return nil
}

func (u *Uploads) copyOne(from *os.Root, address string, im *Importer) error {
	gone := func(message, remedy string) {
		im.rep.Problems = append(im.rep.Problems, diag.Problem{Severity: diag.Warning, File: u.From, Message: message, Remedy: remedy})
	}
	clean := address
	if s, err := url.PathUnescape(address); err == nil {
		clean = s
	}
	target := path.Clean(clean)
	if !strings.HasPrefix(target, "/uploads/") || strings.ContainsAny(target, "\\\x00") {
		gone(fmt.Sprintf("the address %s leads out of the uploads", address), "correct it in the document")
		return nil
	}
	var names []string
	mapped, listed := u.Map[address]
	if !listed {
		mapped, listed = u.Map[clean]
	}
	switch {
	case listed && mapped == nil:
		gone(fmt.Sprintf("the picture %s is gone, as uploads.json says", address), "its place on the page stays empty")
		return nil
	case listed:
		names = []string{*mapped}
	default:
		names = []string{strings.TrimPrefix(target, "/uploads/"), strings.TrimPrefix(target, "/"), "static" + target}
	}
	for _, name := range names {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		f, err := from.Open(filepath.FromSlash(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read upload %s: %w", address, err)
		}
		err = u.put(f, filepath.Join(u.To, filepath.FromSlash(strings.TrimPrefix(target, "/"))), im)
		return errors.Join(err, f.Close())
	}
	gone(fmt.Sprintf("there is no file for %s", address), "put it there, or say in uploads.json where it is")
	return nil
}

// put writes a file whole, unless it is there.
func (u *Uploads) put(f *os.File, to string, im *Importer) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if same, err := sameFile(f, to, info.Size()); err != nil || same {
		return err
	}
	if im.cfg.DryRun {
		im.rep.Copied++
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return fmt.Errorf("write upload: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return fmt.Errorf("write upload: %w", err)
	}
	_, err = io.Copy(tmp, f)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), to)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the error that counts is the first
		return fmt.Errorf("write upload: %w", err)
	}
	im.rep.Copied++
	return nil
}

// sameFile reports whether a file is there already, byte for byte. f is at its beginning afterwards.
func sameFile(f *os.File, to string, size int64) (bool, error) {
	old, err := os.Open(to)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write upload: %w", err)
	}
	defer old.Close()
	if info, err := old.Stat(); err != nil || info.Size() != size {
		return false, err
	}
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, a)
		m, _ := io.ReadFull(old, b) // a short read differs
		if !bytes.Equal(a[:n], b[:m]) {
			_, err = f.Seek(0, io.SeekStart)
			return false, err
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read upload: %w", err)
		}
	}
}
