package server

import "strings"

// ContentPolicy is the Content-Security-Policy of pages: scripts and styles from our own files only, pictures from
// anywhere safe, frames from the embeds that content may hold, and no page within another site's frame. A source
// that holds a separator is left out: it would begin another directive.
func ContentPolicy(frames []string) string {
	var ok []string
	for _, f := range frames {
		if f != "" && !strings.ContainsAny(f, " \t\r\n;,'\"") {
			ok = append(ok, f)
		}
	}
	frameSources := "'none'"
	if len(ok) > 0 {
		frameSources = strings.Join(ok, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; media-src 'self' https:; " +
		"font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src " + frameSources +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// drawingPolicy is the policy of what browsers can open as a document though it is no page: SVG and XML could run
// scripts.
var drawingPolicy = []string{
	"default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src data:; frame-ancestors 'none'",
}

var (
	referrer    = []string{"strict-origin-when-cross-origin"}
	permissions = []string{"browsing-topics=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
	noFrames    = []string{"DENY"}
	ownOpeners  = []string{"same-origin"}
)

// security returns the headers that tell browsers what content of a type may do.
func (s *store) security(contentType string) []field {
	fields := []field{{"X-Content-Type-Options", nosniff}}
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.TrimSpace(t)
	switch {
	case t == "text/html" || t == "application/xhtml+xml":
		if s.policy != "" {
			fields = append(fields, field{"Content-Security-Policy", value(s.policy)}, field{"X-Frame-Options", noFrames},
				field{"Cross-Origin-Opener-Policy", ownOpeners}, field{"Permissions-Policy", permissions})
		}
		fields = append(fields, field{"Referrer-Policy", referrer})
	case strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "/xml"):
		if s.policy != "" {
			fields = append(fields, field{"Content-Security-Policy", drawingPolicy})
		}
	}
	return fields
}
