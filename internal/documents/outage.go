package documents

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// Unavailable reports whether an error of a build says that the source, or the disk, could not be used. Such an error is not
// the fault of a document.
func Unavailable(err error) bool {
	_, mongo := errors.AsType[*mongodb.Error](err)
	_, file := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return mongo || file || link || system
}

// Outage explains an error that is Unavailable. It does not know since when.
func (s *Source) Outage(err error) site.Refusal {
	_, isMongo := errors.AsType[*mongodb.Error](err)
	file, isFile := errors.AsType[*fs.PathError](err)
	var number syscall.Errno
	switch {
	case isMongo && s.db != nil && s.db.Stats().Breaker.State != "closed":
		return site.Refusal{By: "breaker", Reason: "MongoDB has failed too often, and is asked again in a while", Remedy: "see whether MongoDB is well; the log says more"}
	case isMongo:
		return site.Refusal{By: "source", Reason: "the documents cannot be read from MongoDB", Remedy: "see whether MongoDB is well; the log says more"}
	case errors.Is(err, syscall.ENOSPC):
		return site.Refusal{By: "build", Reason: "the disk is full", Remedy: "make room for the state folder"}
	case isFile && file.Err != nil:
		return site.Refusal{By: "source", Reason: "a file or folder cannot be used: " + file.Err.Error(), Remedy: "the log names it"}
	case errors.As(err, &number):
		return site.Refusal{By: "build", Reason: "builds fail: " + number.Error(), Remedy: "the log says more"}
	}
	return site.Refusal{By: "source", Reason: "the documents cannot be read", Remedy: "the log says why"}
}
