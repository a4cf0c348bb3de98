package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/wire"
)

// echo tells which requests its server saw, and what their bodies were.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if why, ok := wire.RefusedFor(r); ok {
		w.WriteHeader(why.Status())
		_, _ = io.WriteString(w, string(why))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(400)
		return
	}
	fmt.Fprintf(w, "%s %s %q", r.Method, r.RequestURI, body)
})

// answerAs answers as echo does.
func answerAs(p *wire.Request) bool {
	status, body := 200, fmt.Sprintf("%s %s %q", p.Method, p.Target, "")
	if p.Refused != "" {
		status, body = p.Refused.Status(), string(p.Refused)
	}
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	if p.Last {
		head += "Connection: close\r\n"
	}
	if p.Method == "HEAD" {
		body = ""
	}
	_, _ = p.Send([]byte(head+"\r\n"), []byte(body))
	return true
}

// run serves what comes to a listener until the test, or the bubble that it is in, ends.
func run(t *testing.T, ln net.Listener, cfg wire.Config, how wire.Listen) *wire.Server {
	t.Helper()
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Server{MaxHeaderBytes: 64 << 10}
	}
	if cfg.HTTP.Handler == nil {
		cfg.HTTP.Handler = echo
	}
	s := wire.New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln, how) }()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(now)
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
	return s
}

// listen listens on loopback.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve serves with answer, by the loop and net/http together, or by net/http alone where that is nil.
func serve(t *testing.T, answer func(*wire.Request) bool) (addr string) {
	t.Helper()
	ln := listen(t)
	run(t, ln, wire.Config{Answer: answer}, wire.Listen{})
	return ln.Addr().String()
}

// ways are those in which a request can be answered.
var ways = map[string]func(*wire.Request) bool{
	"net/http": nil, "the loop": answerAs,
	"net/http after the loop": func(p *wire.Request) bool { return p.Refused != "" && answerAs(p) },
}

// send sends raw on a connection of its own and returns the answers, "CODE BODY" each, until the connection ends or
// is idle.
func send(t *testing.T, addr, raw string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { // a request may be longer than what the server reads of it
		_, _ = io.WriteString(conn, raw)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for br := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(br, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return answers
		}
		if err != nil {
			t.Fatalf("%q: read answer %d: %v", raw, len(answers)+1, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		answers = append(answers, fmt.Sprintf("%d %s", res.StatusCode, body))
		if res.Close {
			rest, err := io.ReadAll(br)
			if err != nil || len(rest) > 0 {
				t.Errorf("%q: %q (%v) after the connection was said to end", raw, rest, err)
			}
			return answers
		}
	}
}

const (
	next     = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	nextSeen = `200 GET /next ""`
)

// TestVet sends each request with one behind it. Where it is sound both are answered; where it is not, it is refused
// and the one behind it is not read, whatever it was meant to be.
func TestVet(t *testing.T) {
	for name, answer := range ways {
		t.Run(name, func(t *testing.T) { testVet(t, serve(t, answer)) })
	}
}

func testVet(t *testing.T, addr string) {
	const h = "Host: h\r\n"
	for _, row := range []struct{ name, raw, want string }{
		{"plain", "GET / HTTP/1.1\r\n" + h + "\r\n", `200 GET / ""`},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", `200 GET / ""`},
		{"HTTP/1.0 with a host", "GET / HTTP/1.0\r\n" + h + "Connection: keep-alive\r\n\r\n", `200 GET / ""`},
		{"length 0", "GET / HTTP/1.1\r\n" + h + "Content-Length: 0\r\n\r\n", `200 GET / ""`},
		{"no space after the colon", "GET / HTTP/1.1\r\nHost:h\r\n\r\n", `200 GET / ""`},
		{"tab in a value", "GET / HTTP/1.1\r\n" + h + "A:\tb\tc\t\r\n\r\n", `200 GET / ""`},
		{"bytes beyond ASCII", "GET /é HTTP/1.1\r\n" + h + "A: é\xff\r\n\r\n", `200 GET /é ""`},
		{"body", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello", `200 POST / "hello"`},
		{"body that looks like a request", "POST / HTTP/1.1\r\n" + h + "Content-Length: 19\r\n\r\nGET /x HTTP/1.1\r\n\r\n", `200 POST / "GET /x HTTP/1.1\r\n\r\n"`},
		{"chunks", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n", `200 POST / "abc0123456789"`},
		{"no chunks", "POST / HTTP/1.1\r\n" + h + "transfer-encoding:  Chunked \r\n\r\n0\r\n\r\n", `200 POST / ""`},
		{"absolute form", "GET http://h/x HTTP/1.1\r\n" + h + "\r\n", `200 GET http://h/x ""`},
		{"absolute form, capitals", "GET HTTP://H:80/x HTTP/1.1\r\nHost: h:80\r\n\r\n", `200 GET HTTP://H:80/x ""`},
		{"body of DELETE", "DELETE /x HTTP/1.1\r\n" + h + "Content-Length: 2\r\n\r\n{}", `200 DELETE /x "{}"`},

		{"CL and TE", "POST / HTTP/1.1\r\n" + h + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"TE and CL", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "400 framing"},
		{"CL and TE of GET", "GET / HTTP/1.1\r\n" + h + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"two lengths", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "400 framing"},
		{"a length twice", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400 framing"},
		{"list of lengths", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5, 5\r\n\r\nhello", "400 framing"},
		{"signed length", "POST / HTTP/1.1\r\n" + h + "Content-Length: +5\r\n\r\nhello", "400 framing"},
		{"negative length", "POST / HTTP/1.1\r\n" + h + "Content-Length: -1\r\n\r\n", "400 framing"},
		{"hex length", "POST / HTTP/1.1\r\n" + h + "Content-Length: 0x5\r\n\r\nhello", "400 framing"},
		{"empty length", "POST / HTTP/1.1\r\n" + h + "Content-Length:\r\n\r\n", "400 framing"},
		{"endless length", "POST / HTTP/1.1\r\n" + h + "Content-Length: 99999999999999999999\r\n\r\n", "400 framing"},
		{"space in a length", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5 0\r\n\r\nhello", "400 framing"},
		{"other coding", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip\r\n\r\n", "400 framing"},
		{"codings", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"chunked, identity", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400 framing"},
		{"codings on two lines", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "400 framing"},
		{"almost chunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"vertical tab chunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400 header"},
		{"chunks in HTTP/1.0", "POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"name and space", "POST / HTTP/1.1\r\n" + h + "Content-Length : 5\r\n\r\nhello", "400 header"},
		{"space and name", "POST / HTTP/1.1\r\n Host: h\r\n\r\n", "400 obs-fold"},
		{"folded", "GET / HTTP/1.1\r\n" + h + "A: b\r\n c\r\n\r\n", "400 obs-fold"},
		{"folded by a tab", "GET / HTTP/1.1\r\n" + h + "A: b\r\n\tc\r\n\r\n", "400 obs-fold"},
		{"folded coding", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400 framing"},
		{"bare LF", "GET / HTTP/1.1\nHost: h\n\n", "400 bare-lf"},
		{"bare LF in headers", "GET / HTTP/1.1\r\n" + h + "A: b\nC: d\r\n\r\n", "400 bare-lf"},
		{"bare LF at the end", "GET / HTTP/1.1\r\n" + h + "\n", "400 bare-lf"},
		{"bare LF before CR LF", "GET / HTTP/1.1\r\nHost: h\n\r\n", "400 bare-lf"},
		{"bare CR", "GET / HTTP/1.1\r\n" + h + "A: b\rC: d\r\n\r\n", "400 bare-lf"},
		{"CR CR LF", "GET / HTTP/1.1\r\n" + h + "A: b\r\r\n\r\n", "400 bare-lf"},
		{"NUL in a value", "GET / HTTP/1.1\r\n" + h + "A: b\x00c\r\n\r\n", "400 header"},
		{"NUL in a name", "GET / HTTP/1.1\r\n" + h + "A\x00: b\r\n\r\n", "400 header"},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"NUL first", "\x00GET / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"no colon", "GET / HTTP/1.1\r\n" + h + "nonsense\r\n\r\n", "400 header"},
		{"no name", "GET / HTTP/1.1\r\n" + h + ": x\r\n\r\n", "400 header"},
		{"DEL", "GET / HTTP/1.1\r\n" + h + "A: \x7f\r\n\r\n", "400 header"},
		{"body of GET", "GET / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello", `200 GET / "hello"`},
		{"chunks of GET", "GET / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", `200 GET / ""`},
		{"more chunks of GET", "GET / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", `200 GET / "hi"`},
		{"hidden request", "GET / HTTP/1.1\r\n" + h + "Content-Length: 32\r\n\r\nGET /admin HTTP/1.1\r\nHost: h\r\n\r\n", `200 GET / "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"`},
		{"absolute form of another host", "GET http://evil/x HTTP/1.1\r\n" + h + "\r\n", `200 GET http://evil/x ""`},
		{"absolute form of another port", "GET http://h:81/x HTTP/1.1\r\n" + h + "\r\n", `200 GET http://h:81/x ""`},
		{"absolute form beside no host", "GET http://h/x HTTP/1.1\r\n\r\n", "400 host"},
		{"absolute form beside a bad host", "GET http://h/x HTTP/1.1\r\nHost: h@evil\r\n\r\n", "400 host"},
		{"absolute form with a user", "GET http://h@evil/x HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"absolute form of nothing", "GET http:///x HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"another scheme", "GET file://h/x HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"relative target", "GET x HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"fragment", "GET /a#b HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"asterisk", "GET * HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "400 host"},
		{"two hosts", "GET / HTTP/1.1\r\n" + h + h + "\r\n", "400 host"},
		{"host with a space", "GET / HTTP/1.1\r\nHost: h evil\r\n\r\n", "400 host"},
		{"host with a user", "GET / HTTP/1.1\r\nHost: h@evil\r\n\r\n", "400 host"},
		{"host with a word for a port", "GET / HTTP/1.1\r\nHost: h:x\r\n\r\n", "400 host"},
		{"host in brackets", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", `200 GET / ""`},
		{"host in half a bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400 host"},
		{"host behind a bracket", "GET / HTTP/1.1\r\nHost: [::1]x:80\r\n\r\n", "400 host"},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", `200 GET / ""`},
		{"half an escape", "GET /a%2 HTTP/1.1\r\n" + h + "\r\n", "400 target"},
		{"half an escape in a query", "GET /a?%2 HTTP/1.1\r\n" + h + "\r\n", `200 GET /a?%2 ""`},
		{"CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "400 target"},
		{"expectation", "POST / HTTP/1.1\r\n" + h + "Expect: much\r\n\r\n", "400 header"},
		{"no version", "GET /\r\n" + h + "\r\n", "400 request-line"},
		{"HTTP/0.9", "GET / HTTP/0.9\r\n" + h + "\r\n", "400 request-line"},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + h + "\r\n", "400 request-line"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 request-line"},
		{"lower case version", "GET / http/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"two spaces", "GET  / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"space in the target", "GET /a b HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"space at the end", "GET / HTTP/1.1 \r\n" + h + "\r\n", "400 request-line"},
		{"tab for a space", "GET\t/ HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"no method", " / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"empty line first", "\r\nGET / HTTP/1.1\r\n" + h + "\r\n", `200 GET / ""`},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"empty line of LF first", "\nGET / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"CR first", "\rGET / HTTP/1.1\r\n" + h + "\r\n", "400 request-line"},
		{"empty line behind a body", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello\r\n", `200 POST / "hello"`},
		{"empty line behind a request", "GET / HTTP/1.1\r\n" + h + "\r\n\r\n", `200 GET / ""`},
		{"long address", "GET /" + strings.Repeat("a", 10<<10) + " HTTP/1.1\r\n" + h + "\r\n", "200 GET /" + strings.Repeat("a", 10<<10) + ` ""`},
		{"too long an address", "GET /" + strings.Repeat("a", 33<<10) + " HTTP/1.1\r\n" + h + "\r\n", "414 too-long"},
		{"endless address", "GET /" + strings.Repeat("a", 200<<10), "414 too-long"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 request-line"},
		{"too large", "GET / HTTP/1.1\r\n" + h + "A: " + strings.Repeat("a", 33<<10) + "\r\n\r\n", "431 too-large"},
		{"too large and endless", "GET / HTTP/1.1\r\n" + h + "A: " + strings.Repeat("a", 200<<10), "431 too-large"},
		{"too many", "GET / HTTP/1.1\r\n" + h + strings.Repeat("A: b\r\n", 6<<10) + "\r\n", "431 too-large"},

		{"chunk extension", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", "400 "},
		{"chunk size and space", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", "400 "},
		{"chunk size and LF", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", "400 "},
		{"chunk without an end", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n", "400 "},
		{"chunk of no size", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n\r\n", "400 "},
		{"chunk of 0x size", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", "400 "},
		{"endless chunk size", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400 "},
		{"trailer", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", "400 "},
		{"a client's own", "REFUSED /host HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n", "400 host"},
		{"a client's own, unknown", "REFUSED /x HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n", "400 request-line"},
	} {
		want := []string{row.want}
		if strings.HasPrefix(row.want, "200") {
			want = append(want, nextSeen)
		}
		got := send(t, addr, row.raw+next)
		if strings.Join(got, " | ") != strings.Join(want, " | ") {
			t.Errorf("%s: %.200q: answers %q, want %q", row.name, row.raw, got, want)
		}
		// What came before it is answered all the same.
		for before, seen := range map[string]string{
			"GET /before HTTP/1.1\r\nHost: h\r\n\r\n":                        `200 GET /before ""`,
			"POST /before HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n!": `200 POST /before "!"`,
		} {
			got = send(t, addr, before+row.raw+next)
			want := append([]string{seen}, want...)
			if strings.Join(got, " | ") != strings.Join(want, " | ") {
				t.Errorf("%s, behind %s: %.200q: answers %q, want %q", row.name, seen, row.raw, got, want)
			}
		}
	}
}

// pieces is a connection that sends what it has in pieces of the given sizes, again and again.
type pieces struct {
	net.Conn
	data  []byte
	sizes []byte
	n     int
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	size := 1 << 20
	if len(c.sizes) > 0 {
		size = int(c.sizes[c.n%len(c.sizes)]) + 1
		c.n++
	}
	n := copy(p, c.data[:min(size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

func (c *pieces) SetReadDeadline(time.Time) error { return nil }

// through returns what is handed on of data, read in pieces of the given sizes.
func through(data, sizes, reads []byte) ([]byte, net.Conn, error) {
	c := wire.VetConn(&pieces{data: data, sizes: sizes}, 1<<10, time.Second)
	var out []byte
	for i := 0; ; i++ {
		size := 4096
		if len(reads) > 0 {
			size = int(reads[i%len(reads)]) + 2 // reads of one byte are watched first
		}
		p := make([]byte, size)
		n, err := c.Read(p)
		out = append(out, p[:n]...)
		if err != nil {
			return out, c, err
		}
	}
}

// However the network cuts a stream up, the same is handed on; net/http takes all of it; and where it finds that a
// request ends, so does the vetting.
func FuzzVet(f *testing.F) {
	f.Add([]byte(next+next), []byte{3}, []byte{0, 200})
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"+next), []byte{}, []byte{})
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+next), []byte{0}, []byte{0})
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"+next), []byte{9}, []byte{1})
	f.Add([]byte("GET / HTTP/1.1\nHost: h\n\n"), []byte{}, []byte{})
	f.Add([]byte("GET http://h/ HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"), []byte{5}, []byte{})
	f.Add([]byte("\r\n"+next+"\r\n"+next+"\r\n\r\n"+next), []byte{0}, []byte{7})
	f.Fuzz(func(t *testing.T, data, sizes, reads []byte) {
		whole, _, wholeErr := through(data, nil, nil)
		cut, _, cutErr := through(data, sizes, reads)
		if !bytes.Equal(whole, cut) || wholeErr != cutErr {
			t.Fatalf("%q: handed on %q (%v), in pieces %q (%v)", data, whole, wholeErr, cut, cutErr)
		}
		src := bytes.NewReader(whole)
		br := bufio.NewReader(src)
		for {
			r, err := http.ReadRequest(br)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			if err != nil {
				t.Fatalf("%q: net/http refuses what was vetted: %v", data, err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if r.Method == wire.RefusedMethod {
				if br.Buffered() > 0 || src.Len() > 0 {
					t.Fatalf("%q: something is handed on after a refused request", data)
				}
				return
			}
			end := len(whole) - src.Len() - br.Buffered()
			if _, c, _ := through(whole[:end], nil, nil); !wire.BetweenRequests(c) {
				t.Fatalf("%q: net/http ends a request at %d, the vetting does not", data, end)
			}
		}
	})
}

// A head that trickles is given up, also on a connection that was idle.
func TestSlowHeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, idle := range []time.Duration{0, time.Minute} {
			client, server := net.Pipe()
			c := wire.VetConn(server, 1<<10, 10*time.Second)
			if idle > 0 {
				if err := c.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			trickled := make(chan struct{})
			go func() {
				defer close(trickled)
				time.Sleep(idle)
				for _, b := range []byte("GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", 1000)) {
					if _, err := client.Write([]byte{b}); err != nil || ctx.Err() != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			began := time.Now()
			n, err := c.Read(make([]byte, 4096))
			took := time.Since(began)
			if ne, ok := err.(net.Error); n != 0 || !ok || !ne.Timeout() || took != idle+10*time.Second {
				t.Errorf("after %v idle: Read = %d, %v after %v, want a timeout after 10s more", idle, n, err, took)
			}
			cancel()
			server.Close()
			client.Close()
			<-trickled
		}
	})
}

// A handler that takes long is told that its client has gone.
func TestGoneClients(t *testing.T) {
	told := make(chan bool, 1)
	ln := listen(t)
	run(t, ln, wire.Config{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		select {
		case <-r.Context().Done():
			told <- true
		case <-time.After(20 * time.Second):
			told <- false
		}
	})}}, wire.Listen{})
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(conn)
	for range 3 {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
	}
	_, _ = io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	conn.Close()
	if !<-told {
		t.Error("the handler was not told that its client had gone")
	}
}

func BenchmarkVet(b *testing.B) {
	head := []byte("GET /blog/rivers/ HTTP/1.1\r\nHost: freshet.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Connection: keep-alive\r\n\r\n")
	src := &again{data: head}
	c := wire.VetConn(src, 32<<10, time.Second)
	p := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := c.Read(p); n != len(head) || err != nil {
			b.Fatal(n, err)
		}
	}
}

type again struct {
	net.Conn
	data []byte
}

func (c *again) Read(p []byte) (int, error) { return copy(p, c.data), nil }
