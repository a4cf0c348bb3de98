package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/url"
	"slices"
	"strings"

	"freshet/internal/web"
	"freshet/revalidator"
)

// A notice is the content of a webhook.
type notice struct {
	event       string // the sender's id of the event; empty: none
	request     revalidator.Request
	eventKey    string
	deliveryKey string
	ignore      string // why the webhook is ignored; empty: it is not
}

// keyOf returns a key for parts. Equal parts give equal keys.
func keyOf(kind string, parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return named(kind, h)
}

func named(kind string, h hash.Hash) string { return kind + ":" + hex.EncodeToString(h.Sum(nil)[:16]) }

// raw is a JSON value as a part of the body. json.Unmarshal passes a slice of its input, and raw keeps it.
// json.RawMessage would copy large payloads once for each level.
type raw []byte

// UnmarshalJSON implements json.Unmarshaler.
func (r *raw) UnmarshalJSON(text []byte) error {
	*r = text
	return nil
}

// object is a JSON object whose members are decoded when needed. A member of the wrong type counts as absent.
type object map[string]raw

func parse(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, errors.New("the body is no JSON object")
	}
	return o, nil
}

func (o object) object(name string) object {
	var v object
	_ = json.Unmarshal(o[name], &v)
	return v
}

// text returns a string member, or a number as it is written.
func (o object) text(names ...string) string {
	for _, name := range names {
		var s string
		var n json.Number
		switch {
		case json.Unmarshal(o[name], &s) == nil && s != "":
			return s
		case json.Unmarshal(o[name], &n) == nil && n != "":
			return n.String()
		}
	}
	return ""
}

func (o object) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := o[name]; return ok })
}

// own reads Freshet's own form.
func own(body []byte) (revalidator.Request, error) {
	var f struct {
		Docs       []revalidator.Doc `json:"docs"`
		Tags       []string          `json:"tags"`
		Paths      []string          `json:"paths"`
		Everything bool              `json:"everything"`
		DryRun     bool              `json:"dryRun"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return revalidator.Request{}, fmt.Errorf("the body is not {docs, tags, paths, everything, dryRun}: %s", web.Clip(err.Error(), mostLogged))
	}
	if _, err := dec.Token(); err != io.EOF {
		return revalidator.Request{}, errors.New("something follows the JSON object")
	}
	r := revalidator.Request{Docs: f.Docs, Tags: f.Tags, Paths: f.Paths, Everything: f.Everything, DryRun: f.DryRun}
	if r.Empty() {
		return r, errors.New("docs, tags and paths are empty")
	}
	return r, r.Check()
}

func isOwn(o object) bool { return o.has("docs", "tags", "paths", "everything", "dryRun") }

// document returns a request for one document, named by its slugs and its id.
func document(coll, id string, slugs ...string) revalidator.Request {
	var r revalidator.Request
	slices.Sort(slugs)
	for _, slug := range slices.Compact(slugs) {
		if slug != "" && coll != "" {
			r.Docs = append(r.Docs, revalidator.Doc{Coll: coll, Slug: slug})
		}
	}
	switch {
	case id == "" || coll == "":
	case len(r.Docs) > 0:
		r.Docs[0].ID = id
	default:
		r.Docs = append(r.Docs, revalidator.Doc{Coll: coll, ID: id})
	}
	r.Everything = len(r.Docs) == 0
	if r.Check() != nil { // a name is not valid
		return revalidator.Request{Everything: true}
	}
	return r
}

// ownNotice returns a notice in Freshet's own form. The sender signs no time, so only an id distinguishes a repeat from
// a second change of the same document.
func ownNotice(d *delivery, id string) (*notice, error) {
	r, err := own(d.body)
	if err != nil {
		return nil, err
	}
	return &notice{event: id, request: r, eventKey: keyOfDelivery(id, d)}, nil
}

// timed returns a notice from a sender who signs the time. The signed text differs for every delivery.
func timed(d *delivery, r revalidator.Request) *notice {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(d.before)+len(d.body)+len(d.after), d.before)
	h.Write(d.body)
	h.Write([]byte(d.after))
	key := named("signed", h)
	return &notice{request: r, eventKey: key, deliveryKey: key}
}

func readStandard(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	n := timed(d, revalidator.Request{Everything: true})
	n.event, n.eventKey = d.id, keyOf("event", []byte(d.id))
	if isOwn(o) {
		n.request, err = own(d.body)
		return n, err
	}
	data := o.object("data")
	if isOwn(data) {
		n.request, err = own(o["data"])
		return n, err
	}
	kind, _, _ := strings.Cut(o.text("type"), ".")
	coll := data.text("coll", "collection", "_type")
	if coll == "" {
		coll = kind
	}
	n.request = document(coll, data.text("_id", "id"), data.text("slug"))
	return n, nil
}

func readGitHub(d *delivery) (*notice, error) {
	body := d.body
	if kind, _, _ := mime.ParseMediaType(d.header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the body is no form")
		}
		body = []byte(form.Get("payload"))
	}
	o, err := parse(body)
	if err != nil {
		return nil, err
	}
	id := one(d.header, "X-GitHub-Delivery")
	if payload := o.object("client_payload"); isOwn(payload) { // repository_dispatch
		r, err := own(o["client_payload"])
		return &notice{event: id, request: r, eventKey: keyOfDelivery(id, d)}, err
	}
	if isOwn(o) && !o.has("repository", "organization", "sender") {
		return ownNotice(d, id)
	}
	n := &notice{event: id, request: revalidator.Request{Everything: true}, eventKey: keyOfDelivery(id, d)}
	if o.has("zen", "hook_id") {
		n.ignore = "it only tries the address"
	}
	return n, nil
}

// keyOfDelivery returns the key of an event without a signed time. Two events may have equal bodies, so only the id
// identifies a repeat. The id is not signed, so the key includes the body too. A replay with another id only causes one
// more reading.
func keyOfDelivery(id string, d *delivery) string {
	if id == "" {
		return ""
	}
	return keyOf("id", []byte(id), d.body)
}

func readStripe(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	n := timed(d, revalidator.Request{Everything: true})
	if o.text("object") != "event" {
		if isOwn(o) {
			n.request, err = own(d.body)
		}
		return n, err
	}
	if id := o.text("id"); id != "" {
		n.event, n.eventKey = id, keyOf("event", []byte(id))
	}
	if kind, _, _ := strings.Cut(o.text("type"), "."); kind != "product" && kind != "price" && kind != "coupon" {
		n.ignore = "no page shows what it is about"
		return n, nil
	}
	about := o.object("data").object("object").object("metadata")
	if slug := about.text("slug"); slug != "" {
		coll := about.text("coll", "collection")
		if coll == "" {
			coll = "course"
		}
		n.request = document(coll, "", slug)
	}
	return n, nil
}

func readGhost(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	n := timed(d, revalidator.Request{Everything: true}) // site.changed names no document
	if isOwn(o) && !o.has("post", "page", "tag", "member") {
		n.request, err = own(d.body)
		return n, err
	}
	for _, kind := range []string{"post", "page"} {
		if about := o.object(kind); about != nil {
			now, was := about.object("current"), about.object("previous")
			n.request = document(kind, "", now.text("slug"), was.text("slug"))
			return n, nil
		}
	}
	if about := o.object("tag"); about != nil {
		var tags []string
		for _, side := range []string{"current", "previous"} {
			if name := about.object(side).text("name", "slug"); name != "" {
				tags = append(tags, name)
			}
		}
		slices.Sort(tags)
		if n.request = (revalidator.Request{Tags: slices.Compact(tags)}); n.request.Empty() || n.request.Check() != nil {
			n.request = revalidator.Request{Everything: true}
		}
	} else if o.has("member") {
		n.ignore = "no page shows members"
	}
	return n, nil
}

func readContentful(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	n := timed(d, revalidator.Request{Everything: true})
	sys := o.object("sys")
	if sys == nil {
		if isOwn(o) {
			n.request, err = own(d.body)
		}
		return n, err
	}
	if kind := sys.text("type"); kind != "Entry" && kind != "DeletedEntry" {
		return n, nil // any page may show the asset
	}
	var slugs []string
	for locale := range o.object("fields").object("slug") {
		slugs = append(slugs, o.object("fields").object("slug").text(locale))
	}
	n.request = document(sys.object("contentType").object("sys").text("id"), sys.text("id"), slugs...)
	return n, nil
}

func readSanity(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	n := timed(d, revalidator.Request{Everything: true})
	if !o.has("_id", "_type") && isOwn(o) {
		n.request, err = own(d.body)
		return n, err
	}
	slug := o.object("slug").text("current")
	if slug == "" {
		slug = o.text("slug")
	}
	n.request = document(o.text("_type"), strings.TrimPrefix(o.text("_id"), "drafts."), slug)
	return n, nil
}

// readBearer reads Strapi's payloads, and Freshet's own form from other senders.
func readBearer(d *delivery) (*notice, error) {
	o, err := parse(d.body)
	if err != nil {
		return nil, err
	}
	if isOwn(o) && !o.has("entry", "event") {
		return ownNotice(d, one(d.header, "Idempotency-Key"))
	}
	id := one(d.header, "Idempotency-Key")
	n := &notice{event: id, request: revalidator.Request{Everything: true}, eventKey: keyOfDelivery(id, d)}
	event := o.text("event")
	switch entry := o.object("entry"); {
	case event == "trigger-test":
		n.ignore = "it only tries the address"
	case entry != nil:
		doc := entry.text("documentId")
		if doc == "" {
			doc = entry.text("id")
		}
		n.request = document(o.text("model"), doc, entry.text("slug"))
	}
	return n, nil
}
