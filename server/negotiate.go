package server

import (
	"strings"

	"freshet/internal/encoding"
)

// tagSuffix returns what a coding adds to an entity tag, because tags must differ between representations.
func tagSuffix(c encoding.Coding) string { return strings.Replace(c.Ext(), ".", "-", 1) }

// largeBytes is the size from which Brotli is not worth its time: a reader waits for the first encoding of an
// object, and Brotli's takes about 40 ms a megabyte, Zstandard's 5.
const largeBytes = 256 << 10

// preferred lists the codings to try for a body of this size, best first.
func preferred(size int64) [3]encoding.Coding {
	if size > largeBytes {
		return [3]encoding.Coding{encoding.Zstd, encoding.Gzip, encoding.Brotli}
	}
	return [3]encoding.Coding{encoding.Brotli, encoding.Zstd, encoding.Gzip}
}

// accepts holds the weights, in thousandths, that an Accept-Encoding header gives the codings. unlisted stands for
// what the header does not name.
type accepts [encoding.Count]int16

const unlisted = -1

// parseAccept reads an Accept-Encoding header (RFC 9110, 12.5.3). An element that is not well formed counts as not
// being there. No header and an empty one mean encoding.Identity, which every client takes.
func parseAccept(header string) accepts {
	a := accepts{unlisted, unlisted, unlisted, unlisted}
	star := int16(unlisted)
	for header != "" {
		var elem string
		elem, header, _ = strings.Cut(header, ",")
		name, params, weighted := strings.Cut(elem, ";")
		q := int16(1000)
		if weighted {
			var ok bool
			if q, ok = weight(params); !ok {
				continue
			}
		}
		switch name = strings.Trim(name, " \t"); {
		case strings.EqualFold(name, "br"):
			a[encoding.Brotli] = q
		case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
			a[encoding.Gzip] = q
		case strings.EqualFold(name, "zstd"):
			a[encoding.Zstd] = q
		case strings.EqualFold(name, "identity"):
			a[encoding.Identity] = q
		case name == "*":
			star = q
		}
	}
	if star != unlisted {
		for e := range a {
			if a[e] == unlisted {
				a[e] = star
			}
		}
	}
	return a
}

// weight reads "q=0.5" in thousandths.
func weight(s string) (int16, bool) {
	s = strings.Trim(s, " \t")
	if len(s) < 3 || s[0]|0x20 != 'q' || s[1] != '=' || len(s) > len("q=0.123") {
		return 0, false
	}
	s = s[2:]
	if s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	q := int16(s[0]-'0') * 1000
	unit := int16(100)
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int16(s[i]-'0') * unit
		unit /= 10
	}
	return q, q <= 1000
}

// encoded returns the coding the client likes best among those in order, which come in the server's order of
// preference; encoding.Identity when it likes that better or takes none of them.
func (a accepts) encoded(order [3]encoding.Coding) encoding.Coding {
	best, q := encoding.Identity, max(a[encoding.Identity], 0)
	for _, e := range order {
		// With equal weights an encoded form wins over the plain one, and the earlier over the later one.
		if a[e] > 0 && (a[e] > q || best == encoding.Identity && a[e] == q) {
			best, q = e, a[e]
		}
	}
	return best
}

// refusesIdentity reports whether the client takes encoded answers only.
func (a accepts) refusesIdentity() bool { return a[encoding.Identity] == 0 }
