package server

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// A crowdedListener logs when there is no file descriptor left for a connection. The caller of Accept tries again soon.
type crowdedListener struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (l crowdedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && l.s.crowded.worth(time.Now(), time.Minute) {
		var limit syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // only for the message
		l.s.log.Warn("no file descriptor is left, new readers have to wait", "error", err, "limit", limit.Cur,
			"remedy", "raise the limit of open files: LimitNOFILE= of the systemd unit, ulimit -n, or fs.file-max for the whole machine")
	}
	return c, err
}
