package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"freshet/server/admin/client"
)

// TestAsk sends what it is given with the token, and tells refusals, foreign answers and absent servers apart.
func TestAsk(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"no token"}`)
		case r.URL.Path == "/page":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<h1>Not found</h1>")
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/bans", http.StatusFound)
		case r.URL.Path == "/broken":
			fmt.Fprint(w, "{")
		default:
			fmt.Fprintf(w, `{"method":%q,"body":%q}`, r.Method, body)
		}
	}))
	defer s.Close()
	c := &client.Client{Address: s.Listener.Addr().String(), Token: "t0ken"}
	var got struct{ Method, Body string }
	if err := c.Ask(t.Context(), http.MethodPost, "/bans", map[string]int{"a": 1}, &got); err != nil || got.Method != "POST" || got.Body != `{"a":1}` {
		t.Errorf("Ask: %v, %+v", err, got)
	}
	if err := c.Ask(t.Context(), http.MethodGet, "/bans", nil, nil); err != nil {
		t.Errorf("Ask without an answer to read: %v", err)
	}
	if err := c.Ask(t.Context(), http.MethodGet, "/broken", nil, &got); err == nil {
		t.Error("an answer that is no JSON is read")
	}
	for _, test := range []struct {
		c       client.Client
		path    string
		status  int
		message string
	}{
		{client.Client{Address: c.Address}, "/bans", 401, "no token"},
		{*c, "/page", 404, ""},
		{*c, "/moved", 302, ""},
	} {
		err := test.c.Ask(t.Context(), http.MethodGet, test.path, nil, nil)
		if e, ok := errors.AsType[*client.AnswerError](err); !ok || e.Status != test.status || e.Message != test.message {
			t.Errorf("Ask for %s: %v, want %d %q", test.path, err, test.status, test.message)
		}
	}
	if _, ok := errors.AsType[*client.RequestError]((&client.Client{Address: "a b"}).Ask(t.Context(), http.MethodGet, "/", nil, nil)); !ok {
		t.Error("an address that is none is no RequestError")
	}
	s.Close()
	if _, ok := errors.AsType[*client.UnreachableError](c.Ask(t.Context(), http.MethodGet, "/bans", nil, nil)); !ok {
		t.Error("a server that is gone is no UnreachableError")
	}
}

func TestDialable(t *testing.T) {
	for listen, want := range map[string]string{":9090": "localhost:9090", "0.0.0.0:9090": "localhost:9090", "[::]:9090": "localhost:9090", "10.0.0.1:9090": "10.0.0.1:9090", "x": "x"} {
		if got := client.Dialable(listen); got != want {
			t.Errorf("Dialable(%q) = %q, want %q", listen, got, want)
		}
	}
}
