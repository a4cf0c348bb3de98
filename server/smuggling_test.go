package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"freshet/internal/telemetry"
	"freshet/internal/testenv"
	"freshet/server"
)

// viaProxy is the User-Agent that each proxy of the test writes into all requests that it knows of.
const viaProxy = "via-proxy"

// TestSmuggling sends requests whose end is disputable through real proxies that reuse their connections to the server.
// A request that proxy and server read differently leaves bytes that the server takes for another request, one that the proxy
// does not know of and has not marked. The server must never answer such a request, and other clients must get their own answers.
func TestSmuggling(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, origin, address, dir string){
		"nginx": func(t *testing.T, origin, address, dir string) {
			conf := "pid DIR/pid;\nevents {}\nhttp {\naccess_log off;\n"
			for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				conf += kind + "_temp_path DIR/" + kind + ";\n"
			}
			conf += "client_body_timeout 1s; client_header_timeout 1s; keepalive_timeout 1s; lingering_timeout 1s;\nupstream freshet { server ORIGIN; keepalive 4; }\nserver { listen ADDRESS; location / {\n" +
				"proxy_pass http://freshet; proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Connection \"\";\n" +
				"proxy_set_header Host $http_host; proxy_set_header User-Agent " + viaProxy + "; } } }\n"
			name := configure(t, dir, conf, origin, address)
			testenv.Start(t, address, testenv.Nginx(t), "-p", dir, "-e", filepath.Join(dir, "errors"), "-c", name, "-g", "daemon off; master_process off;")
		},
		"Varnish": func(t *testing.T, origin, address, dir string) {
			host, port, _ := strings.Cut(origin, ":")
			name := configure(t, dir, "vcl 4.1;\nbackend default { .host = \""+host+"\"; .port = \""+port+"\"; }\nsub vcl_recv { return (pass); }\n"+
				"sub vcl_backend_fetch { set bereq.http.User-Agent = \""+viaProxy+"\"; }\n", origin, address)
			testenv.Start(t, address, testenv.Varnish(t), "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", address, "-f", name,
				"-s", "malloc,16m", "-p", "thread_pool_min=10", "-p", "thread_pools=1", "-p", "timeout_idle=1", "-p", "http_resp_hdr_len=20k")
		},
		"HAProxy": func(t *testing.T, origin, address, dir string) {
			name := configure(t, dir, "defaults\n mode http\n timeout connect 5s\n timeout client 1s\n timeout server 5s\n"+
				"frontend public\n bind ADDRESS\n http-request set-header User-Agent "+viaProxy+"\n default_backend freshet\n"+
				"backend freshet\n http-reuse always\n server freshet ORIGIN\n", origin, address)
			testenv.Start(t, address, testenv.HAProxy(t), "-db", "-f", name)
		},
		"Apache": func(t *testing.T, origin, address, dir string) {
			exe, modules := testenv.Apache(t)
			conf := "ServerRoot DIR\nServerName freshet.test\nListen ADDRESS\nPidFile DIR/pid\nErrorLog DIR/errors\nUser nobody\nGroup nogroup\nTimeout 1\n"
			for _, module := range []string{"mpm_event", "authz_core", "headers", "proxy", "proxy_http"} {
				conf += "LoadModule " + module + "_module " + filepath.Join(modules, "mod_"+module+".so") + "\n"
			}
			name := configure(t, dir, conf+"ProxyPreserveHost On\nProxyPass / http://ORIGIN/\nRequestHeader set User-Agent "+viaProxy+"\n", origin, address)
			testenv.Start(t, address, exe, "-X", "-f", name)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out})
			origin := serve(t, server.Config{Site: serving(built()), Access: log, Hosts: hosts(t, "freshet.test"),
				Routes: handlers{"/api/echo": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n, _ := io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // an unfinished body is an answer too
					fmt.Fprintf(w, "%d bytes\n", n)
				})}.routes()})
			address := testenv.FreeAddress(t)
			start(t, origin, address, t.TempDir())
			known := 0
			for i, attack := range attacks() {
				send(t, address, attack)
				if i%7 == 0 { // another client, on a connection that the proxy used for an attack
					if answer := send(t, address, "GET /blog/rivers/ HTTP/1.1\r\nHost: freshet.test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200") ||
						!strings.Contains(answer, "Rivers") {
						t.Fatalf("after %q another client gets %.300q", attack, answer)
					}
				}
				log.Flush()
				n := bytes.LastIndexByte(out.Bytes(), '\n') + 1
				for line := range bytes.Lines(out.Next(n)) {
					var rec struct {
						Method string
						Agent  string `json:"user_agent"`
					}
					if err := json.Unmarshal(line, &rec); err != nil {
						t.Fatalf("%v in %s", err, line)
					}
					if rec.Agent != viaProxy && rec.Method != "REFUSED" { // a head that is refused has no User-Agent
						t.Errorf("after %q the server read a request that the proxy did not send: %s", attack, line)
					}
					known++
				}
			}
			if known < 100 {
				t.Errorf("only %d requests came through the proxy", known)
			}
		})
	}
}

// configure writes a proxy's configuration and returns its file.
func configure(t *testing.T, dir, conf, origin, address string) string {
	t.Helper()
	name := filepath.Join(dir, "conf")
	if err := os.WriteFile(name, []byte(strings.NewReplacer("DIR", dir, "ORIGIN", origin, "ADDRESS", address).Replace(conf)), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// send sends bytes on a connection of their own, and returns what comes back until the proxy closes it.
func send(t *testing.T, address, bytes string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, bytes) // the proxy may refuse the rest
	answer, _ := io.ReadAll(conn)      // a reset is an answer too
	return string(answer)
}

// attacks are requests whose end is disputable, each with another request in what may be its body.
func attacks() (all []string) {
	const (
		hidden = "GET /smuggled HTTP/1.1\r\nHost: freshet.test\r\n\r\n"
		last   = "GET /blog/ HTTP/1.1\r\nHost: freshet.test\r\nConnection: close\r\n\r\n"
	)
	lengths := []string{
		"", "Content-Length: LEN\r\n", "Content-Length: 0\r\n", "Content-Length: 5\r\n", "Content-Length: +5\r\n", "Content-Length: 0x5\r\n",
		"Content-Length: 5, 5\r\n", "Content-Length: 5\r\nContent-Length: LEN\r\n", "Content-Length: LEN\r\nContent-Length: 0\r\n", "Content-Length : LEN\r\n",
		"Content-Length:\r\n LEN\r\n", "Content-Length: -0\r\n", "Content-Length: 0 LEN\r\n", "Content-Length: 00000000000000000005\r\n", "Content-Length: 18446744073709551621\r\n",
		"Content-Length\x0b: LEN\r\n", "Content_Length: LEN\r\n",
	}
	codings := []string{
		"", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Transfer-Encoding: identity, chunked\r\n", "Transfer-Encoding:\tchunked\r\n", " Transfer-Encoding: chunked\r\n", "X: y\r\n Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding: \x0bchunked\r\n", "transfer-encoding: CHUNKED\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer_Encoding: chunked\r\n",
		"X: y\nTransfer-Encoding: chunked\r\n", "X: y\rTransfer-Encoding: chunked\r\n", "Transfer-Encoding\r\n: chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: chunked\x00\r\n", "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
		"Connection: Content-Length\r\n", "Expect: 100-continue\r\n", "Transfer-Encoding:\r\n chunked\r\n",
	}
	bodies := []string{
		hidden, "0\r\n\r\n" + hidden, "0\n\n" + hidden, "0 \r\n\r\n" + hidden, "0;x=\r\n\r\n" + hidden, "0;\n\r\n" + hidden, "00\r\n\r\n" + hidden,
		"5\r\nhello\r\n0\r\n\r\n" + hidden, "5\r\nhelloX\r\n0\r\n\r\n" + hidden, "5\nhello\n0\n\n" + hidden, "0x5\r\nhello\r\n0\r\n\r\n" + hidden,
		"fffffffffffffffe\r\n" + hidden, "10000000000000000\r\n" + hidden, "-1\r\n" + hidden, "0\r\nContent-Length: 50\r\n\r\n" + hidden, "\r\n\r\n" + hidden,
		"5;\rx\r\nhello\r\n0\r\n\r\n" + hidden,
	}
	lines := []string{"POST /api/echo HTTP/1.1\r\n", "GET /blog/rivers/ HTTP/1.1\r\n", "GET /blog/rivers/ HTTP/1.0\r\n", "HEAD /blog/rivers/ HTTP/1.1\r\n"}
	add := func(line, length, coding, body string) {
		all = append(all, line+"Host: freshet.test\r\n"+strings.ReplaceAll(length, "LEN", fmt.Sprint(len(body)))+coding+"\r\n"+body+last)
	}
	for i, length := range lengths {
		for j, coding := range codings {
			add(lines[(i+j)%2], length, coding, bodies[(i+j)%3])
		}
	}
	for _, length := range lengths {
		add(lines[1], length, "", hidden)
	}
	for _, coding := range codings {
		add(lines[1], "Content-Length: LEN\r\n", coding, hidden)
	}
	for i, body := range bodies {
		for j, coding := range codings[:6] {
			add(lines[(i+j)%len(lines)], "", coding, body)
			add(lines[0], "Content-Length: LEN\r\n", coding, body)
		}
	}
	return all
}
