package cdn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// A Token is a secret for a CDN's API. It prints as "[hidden]". The secret is inside a function, so that printing a
// struct with a Token does not show it.
type Token struct {
	read func() (string, error) // nil: no token
}

const hidden = "[hidden]"

// String implements fmt.Stringer.
func (t Token) String() string {
	if t.read == nil {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer.
func (t Token) GoString() string { return t.String() }

// LogValue implements slog.LogValuer.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText implements encoding.TextMarshaler.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

var errNoToken = errors.New("there is no token")

// reveal returns the secret; empty: there is none. Its errors do not contain the secret.
func (t Token) reveal() (string, error) {
	if t.read == nil {
		return "", nil
	}
	return t.read()
}

// readToken reads a secret from a file. It reads at each use, so that a new token works at once.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	value := strings.TrimSpace(string(text))
	if value == "" {
		return "", fmt.Errorf("read %s: %w", file, errNoToken)
	}
	if !isLine(value) {
		return "", fmt.Errorf("read %s: the token has several lines", file)
	}
	return value, nil
}

// parseToken reads the place of a token: env:NAME or file:PATH.
func parseToken(text string, getenv func(string) string) (Token, error) {
	switch source, name, _ := strings.Cut(text, ":"); {
	case text == "":
		return Token{}, nil
	case source == "env" && name != "":
		value := strings.TrimSpace(getenv(name))
		if value == "" {
			return Token{}, fmt.Errorf("the environment variable %s is empty", name)
		}
		if !isLine(value) {
			return Token{}, fmt.Errorf("the environment variable %s has several lines", name)
		}
		return Token{func() (string, error) { return value, nil }}, nil
	case source == "file" && name != "":
		_, err := readToken(name)
		return Token{func() (string, error) { return readToken(name) }}, err
	}
	// The error does not repeat the text, which may be the secret itself.
	return Token{}, errors.New("a token is not written into the settings")
}
