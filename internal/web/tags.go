package web

import "strings"

// EncodeTag makes a cache key safe to stand in Cache-Tag and Surrogate-Key headers and in the purge requests that
// name it: letters, digits and -._~:/* stay, every other byte becomes %XX, so no key can hold a separator. It is
// its own argument when there is nothing to encode.
func EncodeTag(key string) string {
	plain := true
	for i := range len(key) {
		if !tagByte(key[i]) {
			plain = false
			break
		}
	}
	if plain {
		return key
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(key) + 16)
	for i := range len(key) {
		if c := key[i]; tagByte(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func tagByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~:/*", c) >= 0
}

// OverflowTag stands for the keys of an answer that has more than its headers can hold. Who purges by key must purge
// it as well, every time.
const OverflowTag = "overflow"

// JoinTags joins encoded keys by sep in at most most bytes. Keys that do not fit are left out, and [OverflowTag]
// stands in their place.
func JoinTags(keys []string, sep string, most int) string {
	var b strings.Builder
	for _, key := range keys {
		tag := EncodeTag(key)
		if tag == "" {
			continue
		}
		if b.Len()+2*len(sep)+len(tag)+len(OverflowTag) > most || len(tag) > maxTagBytes {
			if b.Len() > 0 {
				b.WriteString(sep)
			}
			b.WriteString(OverflowTag)
			break
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(tag)
	}
	return b.String()
}

// maxTagBytes is the longest single key that CDNs take.
const maxTagBytes = 1024
