package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A delivery is one request that claims to be a webhook, and what verifying finds out about it.
type delivery struct {
	path   string // escaped
	header http.Header
	body   []byte

	at     time.Time // that was signed; zero: none was
	signed []byte    // what was signed
	id     string    // of the event, signed; empty: none was
}

// A profile is how one kind of sender signs, and what its payloads say.
type profile struct {
	name      string
	challenge string // for WWW-Authenticate
	verify    func(*delivery, []Secret) error
	read      func(*delivery) (*notice, error)
}

// profiles lists the kinds of senders.
func profiles() []profile {
	return []profile{
		{"standard", `Signature realm="freshet", headers="webhook-id webhook-timestamp webhook-signature"`, verifyStandard, readStandard},
		{"github", `Signature realm="freshet", headers="x-hub-signature-256"`, verifyGitHub, readGitHub},
		{"stripe", `Signature realm="freshet", headers="stripe-signature"`, verifyStripe, readStripe},
		{"ghost", `Signature realm="freshet", headers="x-ghost-signature"`, verifyGhost, readGhost},
		{"contentful", `Signature realm="freshet", headers="x-contentful-signature"`, verifyContentful, readContentful},
		{"sanity", `Signature realm="freshet", headers="sanity-webhook-signature"`, verifySanity, readSanity},
		{"bearer", `Bearer realm="freshet"`, verifyBearer, readBearer},
	}
}

// Profiles are the names of the kinds of senders.
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

// maxSignatures is how many signatures a header may hold: senders that change their secret send two.
const maxSignatures = 10

// match reports whether one of the keys has made one of the signatures of content. All are tried.
func match(keys [][]byte, content []byte, signatures [][]byte) error {
	if len(signatures) == 0 || len(signatures) > maxSignatures {
		return errUnsigned
	}
	found := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(content)
		sum := mac.Sum(nil)
		for _, s := range signatures {
			found = hmac.Equal(sum, s) || found
		}
	}
	if !found {
		return errSignature
	}
	return nil
}

func rawKeys(secrets []Secret) [][]byte {
	var keys [][]byte
	for _, s := range secrets {
		keys = append(keys, []byte(s))
	}
	return keys
}

// one returns the only value of a header: of two, somebody else could have read the other.
func one(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// unix reads a time in whole units since 1970. Only the way senders write it is taken, so that the text is the number.
func unix(text string, unit time.Duration) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text || n > int64(farFuture/unit) {
		return time.Time{}, errUnsigned
	}
	return time.Unix(0, 0).Add(time.Duration(n) * unit).UTC(), nil
}

const farFuture = 250 * 365 * 24 * time.Hour // from 1970: what a Duration holds, about

// fields reads "t=1,v1=ab,v1=cd"; blanks around the parts do not count.
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

// verifyStandard is Standard Webhooks, and Svix, which it comes from: HMAC-SHA256 over "id.timestamp.body", in base64.
func verifyStandard(d *delivery, secrets []Secret) (err error) {
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
		// The scheme has base64; senders that make secrets of their own take them as they are.
		keys = append(keys, []byte(s))
		if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_")); err == nil {
			keys = append(keys, key)
		}
	}
	d.id = id
	d.signed = slices.Concat([]byte(id), []byte{'.'}, []byte(at), []byte{'.'}, d.body)
	return match(keys, d.signed, decodeAll(signatures, base64.StdEncoding.DecodeString))
}

// verifyGitHub is HMAC-SHA256 over the body, in hexadecimal after "sha256=". No time is signed.
func verifyGitHub(d *delivery, secrets []Secret) error {
	value, ok := strings.CutPrefix(one(d.header, "X-Hub-Signature-256"), "sha256=")
	if !ok {
		return errUnsigned
	}
	d.signed = d.body
	return match(rawKeys(secrets), d.signed, decodeAll([]string{value}, hex.DecodeString))
}

// verifyStripe is HMAC-SHA256 over "timestamp.body", in hexadecimal: "t=…,v1=…".
func verifyStripe(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "Stripe-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Second); err != nil {
		return err
	}
	d.signed = slices.Concat([]byte(at), []byte{'.'}, d.body)
	return match(rawKeys(secrets), d.signed, decodeAll(f["v1"], hex.DecodeString))
}

// verifyGhost is HMAC-SHA256 over the body and the time in milliseconds, in hexadecimal: "sha256=…, t=…".
func verifyGhost(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "X-Ghost-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Millisecond); err != nil {
		return err
	}
	d.signed = slices.Concat(d.body, []byte(at))
	return match(rawKeys(secrets), d.signed, decodeAll(f["sha256"], hex.DecodeString))
}

// verifySanity is HMAC-SHA256 over "timestamp.body", the time in milliseconds, in base64 for addresses: "t=…,v1=…".
func verifySanity(d *delivery, secrets []Secret) (err error) {
	f := fields(one(d.header, "Sanity-Webhook-Signature"))
	at := only(f["t"])
	if d.at, err = unix(at, time.Millisecond); err != nil {
		return err
	}
	d.signed = slices.Concat([]byte(at), []byte{'.'}, d.body)
	return match(rawKeys(secrets), d.signed, decodeAll(f["v1"], base64.RawURLEncoding.DecodeString))
}

// verifyContentful is HMAC-SHA256 over method, path, the headers that one of them lists, and body, in hexadecimal. The
// path is the one of the address that Contentful was given.
func verifyContentful(d *delivery, secrets []Secret) (err error) {
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
	d.signed = slices.Concat([]byte("POST\n"+d.path+"\n"+strings.Join(headers, ";")+"\n"), d.body)
	return match(rawKeys(secrets), d.signed, decodeAll([]string{one(d.header, "X-Contentful-Signature")}, hex.DecodeString))
}

// verifyBearer is for senders that cannot sign: they show the secret itself.
func verifyBearer(d *delivery, secrets []Secret) error {
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
	d.signed = d.body
	return nil
}

func bearer(h http.Header) (string, bool) {
	scheme, token, ok := strings.Cut(one(h, "Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}
