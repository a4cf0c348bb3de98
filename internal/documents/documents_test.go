package documents

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// TestBeside finds the folders of static files of other tools beside a content tree.
func TestBeside(t *testing.T) {
	for _, test := range []struct {
		name    string
		content string
		made    []string // folders, and files with an extension
		own     []string
		want    []string
	}{
		{"nothing", "content", nil, nil, nil},
		{"static", "content", []string{"static"}, nil, []string{"static"}},
		{"a source of pictures", "content", []string{"public"}, []string{"out", ""}, []string{"public"}},
		{"our own public", "content", []string{"static", "public"}, []string{"public"}, []string{"static"}},
		{"our own below", "content", []string{"static"}, []string{"static/site"}, nil},
		{"a built site", "content", []string{"public", "public/index.html"}, nil, nil},
		{"Astro", "src/content", []string{"src/static", "public"}, nil, []string{"src/static", "public"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, name := range append([]string{test.content}, test.made...) {
				var err error
				if filepath.Ext(name) == "" {
					err = os.MkdirAll(name, 0o777)
				} else {
					err = os.WriteFile(name, nil, 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := beside(test.content, test.own); !slices.Equal(got, test.want) {
				t.Errorf("beside(%q, %q) = %q, want %q", test.content, test.own, got, test.want)
			}
		})
	}
}

// TestOutage explains errors without telling addresses and folders.
func TestOutage(t *testing.T) {
	s := &Source{}
	for _, test := range []struct {
		err         error
		unavailable bool
		want        site.Refusal
	}{
		{&mongodb.Error{Message: "t0psecret"}, true, site.Refusal{By: "source", Reason: "the documents cannot be read from MongoDB", Remedy: "see whether MongoDB is well; the log says more"}},
		{&fs.PathError{Op: "open", Path: "/t0psecret", Err: syscall.EACCES}, true, site.Refusal{By: "source", Reason: "a file or folder cannot be used: permission denied", Remedy: "the log names it"}},
		{&fs.PathError{Op: "write", Path: "/t0psecret", Err: syscall.ENOSPC}, true, site.Refusal{By: "build", Reason: "the disk is full", Remedy: "make room for the state folder"}},
		{syscall.EIO, true, site.Refusal{By: "build", Reason: "builds fail: input/output error", Remedy: "the log says more"}},
		{errors.New("t0psecret"), false, site.Refusal{By: "source", Reason: "the documents cannot be read", Remedy: "the log says why"}},
	} {
		if got := s.Outage(test.err); got != test.want || Unavailable(test.err) != test.unavailable {
			t.Errorf("Outage(%v) = %+v, unavailable: %t, want %+v", test.err, got, Unavailable(test.err), test.want)
		}
	}
}
