package wire_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"freshet/internal/wire"
)

// v2 makes a header of version 2.
func v2(command, family byte, body string) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{0x20 | command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	v4Body = "\xcb\x00\x71\x07" + "\x0a\x00\x00\x01" + "\x12\x67" + "\x00\x50"
	v6Body = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x12\x67\x00\x50"
)

var proxyRows = []struct{ name, raw, client string }{
	{"v1", "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "203.0.113.7:4711"},
	{"v1 v6", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "[2001:db8::7]:4711"},
	{"v1 mapped", "PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 4711 80\r\n", "203.0.113.7:4711"},
	{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
	{"v1 unknown with words", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
	{"v2", v2(1, 0x11, v4Body), "203.0.113.7:4711"},
	{"v2 v6", v2(1, 0x21, v6Body), "[2001:db8::7]:4711"},
	{"v2 and more", v2(1, 0x11, v4Body+"\x03\x00\x04abcd"), "203.0.113.7:4711"},
	{"v2 local", v2(0, 0, ""), ""},
	{"v2 unspecified", v2(1, 0, "whatever"), ""},
	{"v2 unix", v2(1, 0x31, strings.Repeat("\x00", 216)), ""},
	{"none", "", ""},
	{"v1 with another family", "PROXY TCP4 2001:db8::7 10.0.0.1 4711 80\r\n", "error"},
	{"v1 short", "PROXY TCP4 203.0.113.7\r\n", "error"},
	{"v1 port", "PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n", "error"},
	{"v1 zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "error"},
	{"v1 too long", "PROXY TCP4 " + strings.Repeat("1", 120) + "\r\n", "error"},
	{"v1 word", "PROXY TCP5 203.0.113.7 10.0.0.1 4711 80\r\n", "error"},
	{"v2 version", strings.Replace(v2(1, 0x11, v4Body), "\x21\x11", "\x31\x11", 1), "error"},
	{"v2 command", v2(2, 0x11, v4Body), "error"},
	{"v2 too short", v2(1, 0x11, v4Body[:11]), "error"},
	{"v2 v6 too short", v2(1, 0x21, v4Body), "error"},
	{"v2 too long", v2(1, 0x11, v4Body+strings.Repeat("x", 5000)), "error"},
}

func TestProxied(t *testing.T) {
	said := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why, ok := wire.RefusedFor(r); ok {
			w.WriteHeader(why.Status())
			return
		}
		_, _ = io.WriteString(w, r.RemoteAddr)
	})
	for _, trusted := range []bool{true, false} {
		ln := listen(t)
		run(t, ln, wire.Config{HTTP: &http.Server{Handler: said}, Answer: func(p *wire.Request) bool { return p.Refused != "" && answerAs(p) }},
			wire.Listen{Trusts: func(a netip.Addr) bool { return trusted && a.IsLoopback() }})
		for _, row := range proxyRows {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, row.raw+"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(conn) // a reset connection is no answer either
			conn.Close()
			_, got, _ := strings.Cut(string(answer), "\r\n\r\n")
			want := row.client
			if want == "" {
				want = conn.LocalAddr().String()
			}
			refused := strings.HasPrefix(string(answer), "HTTP/1.1 4") || len(answer) == 0
			switch {
			case !trusted && row.raw != "" && !refused:
				t.Errorf("%s from a peer that is not trusted: answer %q", row.name, answer)
			case trusted && row.client == "error" && !refused, trusted && row.client != "error" && got != want:
				t.Errorf("%s: answer %q, want %q", row.name, answer, want)
			}
		}
	}
}

func FuzzProxy(f *testing.F) {
	for _, row := range proxyRows {
		f.Add([]byte(row.raw + "GET /"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		length, client, short, err := wire.ParseProxy(data)
		switch {
		case short:
			// More bytes settle it at last.
			if _, _, still, _ := wire.ParseProxy(append(data, make([]byte, 8<<10)...)); still && len(data) > 0 {
				t.Errorf("%q is never long enough", data)
			}
		case err == nil && (length > len(data) || length == 0 && client != ""):
			t.Errorf("%q: length %d, client %s", data, length, client)
		case err == nil && client != "":
			if _, err := netip.ParseAddrPort(client); err != nil {
				t.Error(err)
			}
		}
		// A header is found however few of its bytes came at first.
		for i := range min(length, 64) {
			if _, _, short, _ := wire.ParseProxy(data[:i]); !short {
				t.Errorf("%q: %d bytes are taken for all of a header of %d", data, i, length)
			}
		}
	})
}
