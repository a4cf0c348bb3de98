package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A delivery is one request that claims to be a webhook, with the results of its verification.
type delivery struct {
	path   string // escaped
	header http.Header
	body   []byte // set once it is read

	// From the headers:
	at            time.Time // the signed time; zero: none
	id            string    // the signed id of the event; empty: none
	before, after string    // signed text before and after the body
	keys          [][]byte  // keys that may have signed; none: nothing is signed
	signatures    [][]byte
}

// A profile describes how one kind of sender signs, and how to read its payloads.
type profile struct {
	name      string
	challenge string // for WWW-Authenticate
	mostBytes int64  // limit for a body
	// claim reads time, keys and signatures from the headers. An error means that no valid signature is possible.
	claim func(*delivery, []Secret) error
	read  func(*delivery) (*notice, error)
}

const (
	mostBytes       = 8 << 20  // fits a post with embedded pictures twice: before and after the change
	mostGitHubBytes = 25 << 20 // GitHub's own limit
)

// profiles lists the kinds of senders.
func profiles() []profile {
	return []profile{
		{"standard", `Signature realm="freshet", headers="webhook-id webhook-timestamp webhook-signature"`, mostBytes, claimStandard, readStandard},
		{"github", `Signature realm="freshet", headers="x-hub-signature-256"`, mostGitHubBytes, claimGitHub, readGitHub},
		{"stripe", `Signature realm="freshet", headers="stripe-signature"`, mostBytes, claimStripe, readStripe},
		{"ghost", `Signature realm="freshet", headers="x-ghost-signature"`, mostBytes, claimGhost, readGhost},
		{"contentful", `Signature realm="freshet", headers="x-contentful-signature"`, mostBytes, claimContentful, readContentful},
		{"sanity", `Signature realm="freshet", headers="sanity-webhook-signature"`, mostBytes, claimSanity, readSanity},
		{"bearer", `Bearer realm="freshet"`, mostBytes, claimBearer, readBearer},
	}
}

// Profiles returns the names of all profiles.
func Profiles() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

var (
	errUnsigned  = errors.New("the signature is missing or malformed")
	errSignature = errors.New("the signature is wrong")
)

// maxSignatures limits the signatures in a header. A sender that changes its secret sends two.
const maxSignatures = 10

// A checker computes the signatures of a body while the body is read, one for each key.
type checker struct {
	d    *delivery
	macs []hash.Hash
}

func newChecker(d *delivery) *checker {
	c := &checker{d: d}
	for _, key := range d.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, d.before) // a hash never returns an error
		c.macs = append(c.macs, mac)
	}
	return c
}

// add adds the next part of the body.
func (c *checker) add(part []byte) {
	for _, mac := range c.macs {
		_, _ = mac.Write(part) // a hash never returns an error
	}
}

// check reports whether any key made any of the signatures. It tries all, so that its time reveals nothing.
func (c *checker) check() error {
	found := len(c.macs) == 0
	for _, mac := range c.macs {
		_, _ = io.WriteString(mac, c.d.after) // a hash never returns an error
		sum := mac.Sum(nil)
		for _, s := range c.d.signatures {
			found = hmac.Equal(sum, s) || found
		}
	}
	if !found {
		return errSignature
	}
	return nil
}

// signedBy sets the keys and signatures to compare.
func (d *delivery) signedBy(keys, signatures [][]byte) error {
	if len(signatures) == 0 || len(signatures) > maxSignatures {
		return errUnsigned
	}
	d.keys, d.signatures = keys, signatures
	return nil
}

func rawKeys(secrets []Secret) [][]byte {
	var keys [][]byte
	for _, s := range secrets {
		keys = append(keys, []byte(s))
	}
	return keys
}

// one returns the value of a header that occurs exactly once. With two values another program might read the other one.
func one(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// unix parses a number of units since 1970. It accepts only the canonical form, so that the number determines the text.
func unix(text string, unit time.Duration) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text || n > int64(farFuture/unit) {
		return time.Time{}, errUnsigned
	}
	return time.Unix(0, 0).Add(time.Duration(n) * unit).UTC(), nil
}

const farFuture = 250 * 365 * 24 * time.Hour // since 1970; about the range of a Duration

// fields parses "t=1,v1=ab,v1=cd". It ignores blanks around the parts.
func fields(text string) map[string][]string {
	out := map[string][]string{}
	if len(text) > 4096 {
		return out
	}
	for part := range strings.SplitSeq(text, ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
			out[name] = append(out[name], value)
		}
	}
	return out
}

func only(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return ""
}

func decodeAll(values []string, decode func(string) ([]byte, error)) [][]byte {
	var out [][]byte
	for _, v := range values {
		if b, err := decode(v); err == nil && len(b) == sha256.Size {
			out = append(out, b)
		}
	}
	return out
}

// claimStandard reads Standard Webhooks, and Svix, its origin: HMAC-SHA256 over "id.timestamp.body", in base64.
func claimStandard(d *delivery, secrets []Secret) (err error) {
	prefix := "webhook-"
	if len(d.header.Values("Webhook-Signature")) == 0 {
		prefix = "svix-"
	}
	id, at := one(d.header, prefix+"id"), one(d.header, prefix+"timestamp")
	if d.at, err = unix(at, time.Second); err != nil || id == "" || len(id) > 256 || strings.Contains(id, ".") {
		return errUnsigned
	}
	var signatures []string
	for part := range strings.FieldsSeq(one(d.header, prefix+"signature")) {
		if version, value, ok := strings.Cut(part, ","); ok && version == "v1" {
			signatures = append(signatures, value)
		}
	}
	var keys [][]byte
	for _, s := range secrets {
		// The standard says that secrets are base64. Senders with secrets of their own use them as plain text.
		keys = append(keys, []byte(s))
		if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_")); err == nil {
			keys = append(keys, key)
		}
	}
	d.id = id
	d.before = id + "." + at + "."
	return d.signedBy(keys, decodeAll(signatures, base64.StdEncoding.DecodeString))
}

// claimGitHub reads HMAC-SHA256 over the body, in hexadecimal after "sha256=". No time is signed.
func claimGitHub(d *delivery, secrets []Secret) error {
	value, ok := strings.CutPrefix(one(d.header, "X-Hub-Signature-256"), "sha256=")
	if !ok {
		return errUnsigned
	}
	return d.signedBy(rawKeys(secrets), decodeAll([]string{value}, hex.DecodeString))
}

// claimStripe reads HMAC-SHA256 over "timestamp.body", in hexadecimal: "t=…,v1=…".
func claimStripe(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "Stripe-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Second); err != nil {
		return err
	}
	d.before = at + "."
	return d.signedBy(rawKeys(secrets), decodeAll(f["v1"], hex.DecodeString))
}

// claimGhost reads HMAC-SHA256 over the body and the time in milliseconds, in hexadecimal: "sha256=…, t=…".
func claimGhost(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "X-Ghost-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Millisecond); err != nil {
		return err
	}
	d.after = at
	return d.signedBy(rawKeys(secrets), decodeAll(f["sha256"], hex.DecodeString))
}

// claimSanity reads HMAC-SHA256 over "timestamp.body", the time in milliseconds, in base64url: "t=…,v1=…".
func claimSanity(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "Sanity-Webhook-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Millisecond); err != nil {
		return err
	}
	d.before = at + "."
	return d.signedBy(rawKeys(secrets), decodeAll(f["v1"], base64.RawURLEncoding.DecodeString))
}

// claimContentful reads HMAC-SHA256 over method, path, the headers that X-Contentful-Signed-Headers lists, and body, in
// hexadecimal. The path is that of the address that Contentful was given.
func claimContentful(d *delivery, secrets []Secret) (err error) {
	const most = 50
	names := strings.Split(one(d.header, "X-Contentful-Signed-Headers"), ",")
	if d.at, err = unix(one(d.header, "X-Contentful-Timestamp"), time.Millisecond); err != nil || len(names) > most ||
		!slices.Contains(names, "x-contentful-timestamp") || !slices.Contains(names, "x-contentful-signed-headers") {
		return errUnsigned
	}
	slices.Sort(names)
	var headers []string
	for _, name := range names {
		value := d.header.Values(name)
		if len(value) != 1 || name != strings.ToLower(name) {
			return errUnsigned
		}
		headers = append(headers, name+":"+strings.TrimSpace(value[0]))
	}
	d.before = "POST\n" + d.path + "\n" + strings.Join(headers, ";") + "\n"
	return d.signedBy(rawKeys(secrets), decodeAll([]string{one(d.header, "X-Contentful-Signature")}, hex.DecodeString))
}

// claimBearer accepts senders that cannot sign and send the secret itself.
func claimBearer(d *delivery, secrets []Secret) error {
	shown, ok := bearer(d.header)
	found := false
	for _, s := range secrets {
		found = s.is(shown) || found
	}
	switch {
	case !ok:
		return errors.New("the bearer token is missing")
	case !found:
		return errors.New("the bearer token is wrong")
	}
	return nil
}

func bearer(h http.Header) (string, bool) {
	scheme, token, ok := strings.Cut(one(h, "Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}
