package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A head is what follows from the head of a request for reading the connection on.
type head struct {
	length  int64 // of the body; 0: none
	chunked bool
}

// maxBodyDigits bounds a Content-Length: nobody sends an exabyte.
const maxBodyDigits = 17

// vetHead judges the head of a request: everything up to and with its empty line. It fills req, which may be nil, and sets its plain.
func vetHead(b []byte, req *Request) (head, Reason) {
	var h head
	line, rest, ok := cutLine(b)
	if !ok {
		return h, BareLF
	}
	method, target, minor, ok := vetRequestLine(line)
	if !ok {
		return h, BadRequestLine
	}
	if !vetTarget(method, target) {
		return h, BadTarget
	}
	text := ""
	if req != nil && minor == '1' && target[0] == '/' && (string(method) == "GET" || string(method) == "HEAD") {
		text = string(b)
		req.plain, req.Method, req.Target = true, text[:len(method)], text[len(method)+1:len(method)+1+len(target)]
	}
	hosts, lengths, codings := 0, 0, 0
	for {
		at := len(b) - len(rest)
		if line, rest, ok = cutLine(rest); !ok {
			return h, BareLF
		}
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return h, ObsFold
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) {
			return h, BadHeader
		}
		value := line[colon+1:]
		if why := vetValue(value); why != "" {
			return h, why
		}
		// Only names of these lengths matter here.
		switch name := line[:colon]; colon {
		case len("Host"):
			if equalFold(name, "host") {
				hosts++
				if !isHost(bytes.Trim(value, " \t")) {
					return h, BadHost
				}
			}
		case len("Expect"):
			if equalFold(name, "expect") && !equalFold(bytes.Trim(value, " \t"), "100-continue") {
				return h, BadHeader
			}
		case len("Content-Length"):
			if equalFold(name, "content-length") {
				if h.length, ok = number(bytes.Trim(value, " \t")); !ok {
					return h, BadFraming
				}
				lengths++
			}
		case len("Transfer-Encoding"):
			if equalFold(name, "transfer-encoding") {
				if !equalFold(bytes.Trim(value, " \t"), "chunked") {
					return h, BadFraming
				}
				codings++
			}
		}
		if text != "" && req.plain {
			req.plain = req.take(line[:colon], text[at+colon+1:at+len(line)])
		}
	}
	switch {
	case lengths+codings > 1, codings > 0 && minor == '0':
		return h, BadFraming
	case hosts > 1, hosts == 0 && minor != '0':
		return h, BadHost
	}
	h.chunked = codings > 0
	return h, ""
}

// cutLine cuts b after its first line, which must end in CR LF. Other CRs are control characters within it.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// vetValue judges the value of a header. It looks at eight bytes at a time: values are most of a head.
func vetValue(v []byte) Reason {
	for len(v) >= 8 {
		if hasControl(binary.LittleEndian.Uint64(v)) {
			break
		}
		v = v[8:]
	}
	for _, c := range v {
		switch {
		case c == '\r':
			return BareLF
		case c < ' ' && c != '\t' || c == 0x7f:
			return BadHeader
		}
	}
	return ""
}

// hasControl reports whether one of the bytes of x is a control character, a tab included.
func hasControl(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	del := x ^ ones*0x7f
	return ((x-ones*' ')&^x|(del-ones)&^del)&highs != 0
}

func vetRequestLine(line []byte) (method, target []byte, minor byte, ok bool) {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, version, _ := bytes.Cut(rest, []byte{' '})
	if !isToken(method) || len(target) == 0 || len(version) != len("HTTP/1.1") ||
		string(version[:7]) != "HTTP/1." || version[7] != '0' && version[7] != '1' {
		return nil, nil, 0, false
	}
	return method, target, version[7], true
}

// vetTarget judges the form of a request's target. What stands in the path is for the server to judge, once it is decoded. A
// host in the target counts instead of the Host header (RFC 9112, 3.2.2), which net/http knows. CONNECT has no target that a
// server of pages could have.
func vetTarget(method, target []byte) bool {
	inQuery := false
	for i, c := range target {
		switch {
		case c <= ' ' || c == 0x7f || c == '#':
			return false
		case c == '?':
			inQuery = true
		case c == '%' && !inQuery:
			if i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2]) {
				return false
			}
		}
	}
	switch {
	case string(method) == "CONNECT":
		return false
	case target[0] == '/':
		return true
	case string(target) == "*":
		return string(method) == "OPTIONS"
	}
	scheme, rest, found := bytes.Cut(target, []byte("://"))
	if !found || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return false
	}
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	return len(rest) > 0 && isHost(rest)
}

// isHost reports whether b looks like a host with or without a port: a name, or an IPv6 address in brackets.
func isHost(b []byte) bool {
	port := bytes.LastIndexByte(b, ':')
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return false
		}
		for _, c := range b[1:end] {
			if !isHex(c) && c != ':' && c != '.' {
				return false
			}
		}
		if b = b[end+1:]; len(b) == 0 {
			return true
		}
		port = 0
	}
	if port >= 0 {
		if b[port] != ':' {
			return false
		}
		for _, c := range b[port+1:] {
			if c < '0' || c > '9' {
				return false
			}
		}
		b = b[:port]
	}
	for _, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	_, ok := hexDigit(c)
	return ok
}

// number reads decimal digits and nothing else.
func number(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > maxBodyDigits {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// equalFold compares b with lower, which is in lower case and ASCII.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c != lower[i] && (c < 'A' || c > 'Z' || c|0x20 != lower[i]) {
			return false
		}
	}
	return true
}

// tokenBytes are those that methods and names of headers consist of (RFC 9110, 5.6.2).
var tokenBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return t
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// endOfHead finds where a head ends, with its empty line; -1: later. Bytes before from were looked at before.
func endOfHead(b []byte, from int) int {
	for i := max(from-3, 0); ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		i += j + 1
		switch rest := b[i:]; {
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		}
	}
}
