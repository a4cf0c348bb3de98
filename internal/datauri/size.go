package datauri

import (
	"bytes"
	"encoding/binary"
	"image"
)

// Size is the width and height that a browser shows a picture with, of which head is the beginning. Cameras store a picture as the
// sensor saw it and note in EXIF how it was held; browsers turn it accordingly.
func Size(head []byte) (width, height int, ok bool) {
	c, _, err := image.DecodeConfig(bytes.NewReader(head))
	if err != nil {
		return 0, 0, false
	}
	if onItsSide(head) {
		return c.Height, c.Width, true
	}
	return c.Width, c.Height, true
}

// onItsSide reports whether the EXIF orientation of a picture exchanges its width and height: 5 to 8 do.
func onItsSide(head []byte) bool {
	exif := exifOf(head)
	if len(exif) < 8 {
		return false
	}
	var order binary.ByteOrder = binary.BigEndian
	switch string(exif[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
	default:
		return false
	}
	at := int64(order.Uint32(exif[4:]))
	if at+2 > int64(len(exif)) {
		return false
	}
	fields := exif[at:]
	n := int(order.Uint16(fields))
	for fields = fields[2:]; n > 0 && len(fields) >= 12; n, fields = n-1, fields[12:] {
		const orientation, short = 0x112, 3
		if order.Uint16(fields) == orientation && order.Uint16(fields[2:]) == short {
			o := order.Uint16(fields[8:])
			return 5 <= o && o <= 8
		}
	}
	return false
}

// exifOf is the EXIF block of a JPEG, a PNG or a WebP picture; nil when there is none.
func exifOf(b []byte) []byte {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
			kind, n := b[1], int(binary.BigEndian.Uint16(b[2:]))+2
			if kind == 0xff { // a fill byte
				b = b[1:]
				continue
			}
			if n < 4 || n > len(b) || kind == 0xda { // the picture itself begins
				return nil
			}
			if exif, ok := bytes.CutPrefix(b[4:n], []byte("Exif\x00\x00")); ok && kind == 0xe1 {
				return exif
			}
			b = b[n:]
		}
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		for b = b[8:]; len(b) >= 12; {
			n := int64(binary.BigEndian.Uint32(b))
			if string(b[4:8]) == "eXIf" && n <= int64(len(b)-8) {
				return b[8 : 8+n]
			}
			if n > int64(len(b)-12) {
				return nil
			}
			b = b[12+n:]
		}
	case bytes.HasPrefix(b, []byte("RIFF")) && len(b) >= 12:
		for b = b[12:]; len(b) >= 8; {
			n := int64(binary.LittleEndian.Uint32(b[4:]))
			if string(b[:4]) == "EXIF" && n <= int64(len(b)-8) {
				return bytes.TrimPrefix(b[8:8+n], []byte("Exif\x00\x00"))
			}
			if n += n & 1; n > int64(len(b)-8) {
				return nil
			}
			b = b[8+n:]
		}
	}
	return nil
}
