package redisdb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"freshet/internal/redisdb"
	"freshet/internal/testenv"
)

// A pair is a certificate, its key, and their files.
type pair struct {
	cert              *x509.Certificate
	key               *ecdsa.PrivateKey
	certFile, keyFile string
}

// newPair makes a certificate for 127.0.0.1 that issuer has signed; nil: it has signed itself.
func newPair(t *testing.T, name string, issuer *pair, change func(*x509.Certificate)) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: issuer == nil,
	}
	if change != nil {
		change(template)
	}
	parent, by := template, key
	if issuer != nil {
		parent, by = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{key: key, certFile: filepath.Join(t.TempDir(), "cert.pem"), keyFile: filepath.Join(t.TempDir(), "key.pem")}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{p.certFile: {Type: "CERTIFICATE", Bytes: der}, p.keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// secure starts a Redis that also speaks TLS, and returns where.
func secure(t *testing.T, p *pair, clients string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	testenv.NewRedis(t, "--tls-port", port, "--tls-cert-file", p.certFile, "--tls-key-file", p.keyFile, "--tls-ca-cert-file", p.certFile, "--tls-auth-clients", clients)
	return ln.Addr().String()
}

// share shares something through a client, within the time that guards give it.
func share(t *testing.T, db *redisdb.DB) error {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _, _, err := db.Ledger().Share(ctx, map[string]time.Duration{"api x": time.Second}, nil, nil, nil, "")
	return err
}

// TestCertificates checks that a certificate which is not trusted is named with the reason and the remedy, and that redis.ca
// is the remedy.
func TestCertificates(t *testing.T) {
	authority := newPair(t, "Rivers Authority", nil, nil)
	signed := newPair(t, "redis.rivers.test", authority, nil)
	self := newPair(t, "self.rivers.test", nil, nil)
	expired := newPair(t, "old.rivers.test", authority, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere := newPair(t, "elsewhere.rivers.test", authority, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"elsewhere.rivers.test"} })
	for _, row := range []struct {
		name, clients, ca string
		pair              *pair
		want              []string // nothing: it is shared
	}{
		{"unknown authority", "no", "", signed, []string{"CN=redis.rivers.test", "CN=Rivers Authority", "unknown authority", "set redis.ca"}},
		{"known authority", "no", authority.certFile, signed, nil},
		{"another authority", "no", self.certFile, signed, []string{"CN=redis.rivers.test", "redis.ca"}},
		{"self-signed", "no", "", self, []string{"CN=self.rivers.test", "itself", "set redis.ca", "this certificate"}},
		{"known self-signed", "no", self.certFile, self, nil},
		{"expired", "no", authority.certFile, expired, []string{"CN=old.rivers.test", "expired", "renew it"}},
		{"another host", "no", authority.certFile, elsewhere, []string{"elsewhere.rivers.test", "127.0.0.1", "name the host"}},
		{"clients need one", "yes", authority.certFile, signed, []string{"of its clients", "tls-auth-clients"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			addr := secure(t, row.pair, row.clients)
			db, err := redisdb.New(redisdb.Config{URL: redisdb.URL("rediss://" + addr), CA: row.ca})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			switch err := share(t, db); {
			case err == nil && row.want != nil:
				t.Error("it is shared")
			case err != nil && row.want == nil:
				t.Error(err)
			case err != nil:
				for _, want := range append(row.want, addr) {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q, want %q in it", err, want)
					}
				}
			}
		})
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ url, ca, want string }{
		{"rediss://localhost", empty, "holds no certificate"},
		{"rediss://localhost", filepath.Join(t.TempDir(), "nowhere.pem"), "nowhere.pem"},
		{"redis://localhost", authority.certFile, "does not use TLS"},
	} {
		if _, err := redisdb.New(redisdb.Config{URL: redisdb.URL(row.url), CA: row.ca}); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("New of %s with the CA %s: %v, want %q in it", row.url, row.ca, err, row.want)
		}
	}
}

// slow starts a proxy to addr whose every way takes half of a round trip, the first one included.
func slow(t *testing.T, addr string, round time.Duration) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var under sync.WaitGroup
	t.Cleanup(under.Wait)
	t.Cleanup(func() { _ = ln.Close() })
	carry := func(to, from net.Conn) {
		type piece struct {
			at    time.Time
			bytes []byte
		}
		pieces := make(chan piece, 1024)
		under.Go(func() {
			for p := range pieces {
				<-time.After(time.Until(p.at))
				_, _ = to.Write(p.bytes)
			}
			_ = to.Close()
		})
		under.Go(func() {
			defer close(pieces)
			for {
				b := make([]byte, 16<<10)
				n, err := from.Read(b)
				if n > 0 {
					pieces <- piece{time.Now().Add(round / 2), b[:n]}
				}
				if err != nil {
					return
				}
			}
		})
	}
	under.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			under.Go(func() {
				<-time.After(round) // for the handshake of TCP, which the kernel has answered already
				server, err := net.Dial("tcp", addr)
				if err != nil {
					_ = client.Close()
					return
				}
				carry(server, client)
				carry(client, server)
			})
		}
	})
	return ln.Addr().String()
}

// TestFarAway checks that servers share through a Redis whose answers take 600 ms, with and without TLS, though making a
// connection takes longer than a call may.
func TestFarAway(t *testing.T) {
	authority := newPair(t, "Rivers Authority", nil, nil)
	for name, cfg := range map[string]redisdb.Config{
		"plain":    {URL: redisdb.URL("redis://" + slow(t, testenv.NewRedis(t).Addr(), 600*time.Millisecond) + "/3")},
		"password": {URL: redisdb.URL("redis://default:s3cr3t-pa55@" + slow(t, testenv.NewRedis(t, "--requirepass", "s3cr3t-pa55").Addr(), 600*time.Millisecond) + "/3")},
		"TLS": {URL: redisdb.URL("rediss://" + slow(t, secure(t, newPair(t, "redis.rivers.test", authority, nil), "no"), 600*time.Millisecond) + "/3"),
			CA: authority.certFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := redisdb.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			await(t, 20*time.Second, "the first sharing", func() bool {
				err := share(t, db)
				if err != nil {
					t.Log(err)
				}
				return err == nil
			})
			for range 3 { // and from then on without fail
				if err := share(t, db); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestNotThisRedis checks the remedies for what is no Redis that scripts can run on.
func TestNotThisRedis(t *testing.T) {
	primary := testenv.NewRedis(t)
	host, port, _ := net.SplitHostPort(primary.Addr())
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(conf, []byte("sentinel monitor rivers "+host+" "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := testenv.NewSentinel(t, conf).Addr()
	cluster := testenv.NewRedis(t, "--cluster-enabled", "yes")
	for _, row := range []struct {
		name, url string
		want      []string
	}{
		{"Sentinel", "redis://" + sentinel, []string{"a Sentinel answers at " + sentinel, "name the primary"}},
		{"Sentinel with a database", "redis://" + sentinel + "/1", []string{"a Sentinel answers at " + sentinel, "name the primary"}},
		{"no EVAL", testenv.NewRedis(t, "--rename-command", "EVAL", "").URL(), []string{"does not have the command EVAL", "rename-command"}},
		{"neither EVAL nor EVALSHA", testenv.NewRedis(t, "--rename-command", "EVAL", "", "--rename-command", "EVALSHA", "").URL(), []string{"does not have the command EVALSHA", "rename-command"}},
		{"EVAL by another name", testenv.NewRedis(t, "--rename-command", "EVAL", "RUN").URL(), []string{"does not have the command EVAL", "rename-command"}},
		{"a command of the scripts", testenv.NewRedis(t, "--rename-command", "XADD", "").URL(), []string{"that freshet's scripts call", "rename-command"}},
		{"no TIME", testenv.NewRedis(t, "--rename-command", "TIME", "").URL(), []string{"does not have the command TIME", "rename-command"}},
		{"a database of a cluster", cluster.URL() + "/2", []string{"is a cluster", "leave the number away"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			db := open(t, row.url, "")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, _, _, err := db.Ledger().Share(ctx, nil, [][]byte{[]byte("{}")}, nil, nil, "")
			for _, want := range row.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q in it", err, want)
				}
			}
		})
	}
	for url, want := range map[string]string{
		"https://eu1-x.upstash.io":               "rediss://",
		"https://default:t0ken@eu1-x.upstash.io": "rediss://",
		"HTTPS://eu1-x.upstash.io":               "rediss://",
		"redis+sentinel://10.0.0.1:26379/rivers": "name the primary",
	} {
		if err := redisdb.URL(url).Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("Check of %s: %v, want %q in it", url, err, want)
		}
	}
}
