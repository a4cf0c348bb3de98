// Package webhook receives webhooks over HTTP. It verifies the sender, reads which documents may have changed, and
// offers them to the daemon.
//
// A webhook is accepted if one of the secrets has signed its raw body, in the way of the sender's profile. If the
// signature includes a time, that time must be within the tolerance. Senders that cannot sign send a secret as a bearer
// token. Comparisons take constant time, and every secret is tried. Any other webhook gets a 4xx answer, is not queued,
// and leaves one line in the log without secret or signature.
//
// A payload is a hint: it names documents to read again. A payload that names none means all documents. The answer 202
// means that the job is on the disk. A second delivery of an event gets the job of the first. If the sender signs
// times, the same delivery sent twice is a replay and is refused.
package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/revalidator"
)

// mostLogged limits what a sender can put into a log line or an answer.
const mostLogged = 200

// askTimeout limits how long the daemon may take to write a job to the disk, or to answer.
const askTimeout = 10 * time.Second

// A Desk accepts requests: the daemon of this process, or another one through its control socket.
type Desk interface {
	Accept(context.Context, revalidator.Offer) (revalidator.Job, revalidator.Repeat, error)
	Plan(context.Context, revalidator.Request) ([]string, error)
	Look(ctx context.Context, job string, wait time.Duration) (revalidator.Job, error)
}

// Config holds what the handler needs. Desk is required.
type Config struct {
	Desk      Desk
	Profile   string        // the kind of sender, one of [Profiles]; empty: standard
	Secrets   []Secret      // each is valid; none: all webhooks are refused
	Tolerance time.Duration // largest difference between the signed time and now; 0: 5 min
	Token     Secret        // for clients that ask about jobs; empty: nobody may ask
	Logger    *slog.Logger  // nil: no log
}

// A Secret never prints its value.
type Secret string

const hidden = "[hidden]"

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// String implements fmt.Stringer.
func (s Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return hidden }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// is reports whether shown equals s. Its time reveals nothing about s.
func (s Secret) is(shown string) bool {
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

type handler struct {
	cfg     Config
	profile *profile
	log     *slog.Logger
	bodies  bodies
}

// New returns a handler for POST /api/revalidate and GET /api/revalidate/{job}.
func New(cfg Config) (http.Handler, error) {
	if cfg.Desk == nil {
		return nil, errors.New("webhook: Desk is missing")
	}
	if cfg.Profile == "" {
		cfg.Profile = "standard"
	}
	if cfg.Tolerance <= 0 {
		cfg.Tolerance = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{cfg: cfg, log: cfg.Logger.With("part", "webhook")}
	for _, p := range profiles() {
		if p.name == cfg.Profile {
			h.profile = &p
		}
	}
	if h.profile == nil {
		return nil, fmt.Errorf("webhook: there is no profile %q, only %s", cfg.Profile, strings.Join(Profiles(), ", "))
	}
	if slices.Contains(cfg.Secrets, "") {
		return nil, errors.New("webhook: a secret is empty")
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/revalidate", web.Handle(cfg.Logger, h.receive))
	mux.Handle("GET /api/revalidate/{job}", web.Handle(cfg.Logger, h.status))
	mux.Handle("/api/revalidate", web.Handle(cfg.Logger, h.method("POST")))
	mux.Handle("/api/revalidate/{job}", web.Handle(cfg.Logger, h.method("GET, HEAD")))
	mux.Handle("/", web.Handle(cfg.Logger, h.nowhere))
	return mux, nil
}

// refused returns an error answer and logs it in one line.
func (h *handler) refused(w http.ResponseWriter, status int, reason string) error {
	h.log.Warn("webhook refused", "request_id", web.RequestID(w), "status", status, "profile", h.profile.name, "reason", reason)
	return &web.Error{Status: status, Message: reason}
}

func (h *handler) method(allow string) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h.refused(w, http.StatusMethodNotAllowed, "this address takes "+allow)
		if e, ok := errors.AsType[*web.Error](err); ok {
			e.Allow = allow
		}
		return err
	}
}

func (h *handler) nowhere(w http.ResponseWriter, _ *http.Request) error {
	return h.refused(w, http.StatusNotFound, "webhooks go to /api/revalidate, jobs are at /api/revalidate/{job}")
}

// receive handles a webhook.
func (h *handler) receive(w http.ResponseWriter, r *http.Request) error {
	switch {
	case len(h.cfg.Secrets) == 0:
		return h.refused(w, http.StatusForbidden, "webhooks are off: no secret is set")
	case r.URL.RawQuery != "" || r.URL.ForceQuery:
		return h.refused(w, http.StatusBadRequest, "this address takes no query: secrets do not belong into addresses")
	}
	d := &delivery{path: r.URL.EscapedPath(), header: r.Header}
	err := h.profile.claim(d, h.cfg.Secrets)
	var release func()
	if err == nil {
		c := newChecker(d)
		d.body, release, err = h.bodies.read(w, r, h.profile.mostBytes, c.add)
		defer release()
		if e, ok := errors.AsType[*web.Error](err); ok && e.Status < 500 {
			return h.refused(w, e.Status, e.Message)
		} else if ok {
			return e
		}
		err = c.check()
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", h.profile.challenge)
		return h.refused(w, http.StatusUnauthorized, err.Error())
	}
	if off := time.Since(d.at).Abs(); !d.at.IsZero() && off > h.cfg.Tolerance {
		w.Header().Set("WWW-Authenticate", h.profile.challenge)
		return h.refused(w, http.StatusUnauthorized,
			fmt.Sprintf("the time that was signed is %s off, and at most %s is allowed", off.Round(time.Second), h.cfg.Tolerance))
	}
	n, err := h.profile.read(d)
	if err != nil {
		return h.refused(w, http.StatusBadRequest, err.Error())
	}
	return h.offer(w, r, d, n)
}

// offer passes a webhook's content to the daemon.
func (h *handler) offer(w http.ResponseWriter, r *http.Request, d *delivery, n *notice) error {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	if n.ignore != "" {
		h.log.Info("webhook ignored", "request_id", web.RequestID(w), "profile", h.profile.name, "event", web.Clip(n.event, mostLogged), "reason", n.ignore)
		return answer(w, http.StatusOK, map[string]string{"ignored": n.ignore})
	}
	if n.request.DryRun {
		pages, err := h.cfg.Desk.Plan(ctx, n.request)
		if err != nil {
			return h.failed(w, err)
		}
		return answer(w, http.StatusOK, map[string][]string{"pages": pages})
	}
	j, repeat, err := h.cfg.Desk.Accept(ctx, revalidator.Offer{
		Origin: "webhook:" + h.profile.name, Event: web.Clip(n.event, mostLogged), Request: n.request, EventKey: n.eventKey, DeliveryKey: n.deliveryKey,
	})
	if err != nil {
		return h.failed(w, err)
	}
	if repeat == revalidator.Replayed && !d.at.IsZero() {
		return h.refused(w, http.StatusConflict, "this very delivery was accepted before, as job "+j.ID)
	}
	h.log.Info("webhook accepted", "request_id", web.RequestID(w), "profile", h.profile.name, "event", j.Event, "job", j.ID,
		"repeat", repeat != revalidator.Fresh, "request", web.Clip(n.request.String(), mostLogged))
	w.Header().Set("Location", "/api/revalidate/"+j.ID)
	return answer(w, http.StatusAccepted, receipt{j.ID, j.State, repeat != revalidator.Fresh})
}

type receipt struct {
	Job    string            `json:"job"`
	State  revalidator.State `json:"state"`
	Repeat bool              `json:"repeat"` // the event was accepted before
}

// failed returns the answer for a request that the daemon did not accept. It asks the sender to retry if that can help.
func (h *handler) failed(w http.ResponseWriter, err error) error {
	if bad, ok := errors.AsType[*revalidator.RefusedError](err); ok {
		return h.refused(w, http.StatusBadRequest, bad.Message)
	}
	return &web.Error{Status: http.StatusServiceUnavailable, Message: "the webhook could not be kept: send it again", RetryAfter: 5 * time.Second, Err: err}
}

// status reports the state of a job to a client with the token.
func (h *handler) status(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Token == "" {
		return h.refused(w, http.StatusForbidden, "jobs are told to nobody: webhook.token is not set")
	}
	shown, ok := bearer(r.Header)
	if !h.cfg.Token.is(shown) || !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="freshet"`)
		return h.refused(w, http.StatusUnauthorized, "the token is missing or wrong")
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	j, err := h.cfg.Desk.Look(ctx, r.PathValue("job"), 0)
	switch {
	case errors.Is(err, site.ErrNotFound):
		return &web.Error{Status: http.StatusNotFound, Message: "no such job is known, or it ended long ago"}
	case err != nil:
		return &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Err: err}
	}
	return answer(w, http.StatusOK, j)
}

func answer(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // nothing can be done if the sender has gone
	return nil
}
