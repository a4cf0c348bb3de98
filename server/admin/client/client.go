// Package client asks the operators' listener of a running server.
//
// Three errors can be told apart: a [*RequestError] is a request that cannot be made, an [*UnreachableError] a server that
// does not answer, and an [*AnswerError] an answer that refuses.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"freshet/internal/diag"
)

// timeout is for a machine that is in trouble: no answer takes long.
const timeout = 10 * time.Second

// maxAnswerBytes is more than any answer has.
const maxAnswerBytes = 64 << 20

// A Client asks one listener.
type Client struct {
	Address string // see Dialable
	Token   string // empty: the listener asks for none
}

// Dialable returns the address at which this machine reaches a listener. A listener at :9090 is at localhost:9090.
func Dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

// Ask sends a request with a body as JSON, nil for none, and reads the answer into v, nil for none.
func (c *Client) Ask(ctx context.Context, method, path string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Address+path, bytes.NewReader(text))
	if err != nil {
		return &RequestError{Address: c.Address, Err: err}
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	// No proxy of the environment gets the token, and no redirect.
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := hc.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return &UnreachableError{Address: c.Address, Err: err}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	if err == nil && res.StatusCode < 300 && v != nil {
		err = json.Unmarshal(answer, v)
	}
	if err != nil {
		return fmt.Errorf("read the answer of the server at %s: %w", c.Address, err)
	}
	if res.StatusCode < 300 {
		return nil
	}
	e := &AnswerError{Address: c.Address, Status: res.StatusCode}
	var problem struct{ Error string }
	if json.Unmarshal(answer, &problem) == nil {
		e.Message = problem.Error
	}
	return e
}

// A RequestError says that an address or a path is not valid.
type RequestError struct {
	Address string
	Err     error
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("ask the server at %s: %s", e.Address, e.Err)
}
func (e *RequestError) Unwrap() error { return e.Err }

// An UnreachableError says that no server answers.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("ask the server at %s: %s", e.Address, e.Err)
}
func (e *UnreachableError) Unwrap() error { return e.Err }

// An AnswerError is an answer that refuses.
type AnswerError struct {
	Address string
	Status  int
	Message string // of the server, as it sent it; empty: the answer is none of an operators' listener
}

func (e *AnswerError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server at %s answers %d %s", e.Address, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("the server at %s says: %s", e.Address, diag.Printable(e.Message))
}
