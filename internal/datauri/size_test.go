package datauri_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"testing"

	"freshet/internal/datauri"
)

// exif is an EXIF block with an orientation alone.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("MM")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("II")
	}
	b = order.AppendUint32(order.AppendUint16(b, 42), 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x112), 3), 1)
	return append(order.AppendUint16(b, orientation), 0, 0, 0, 0, 0, 0)
}

func TestSize(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 40, 20))
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		for o := range uint16(10) {
			var j, p bytes.Buffer
			if err := jpeg.Encode(&j, img, nil); err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(&p, img); err != nil {
				t.Fatal(err)
			}
			block := append([]byte("Exif\x00\x00"), exif(order, o)...)
			app1 := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(block)+2))
			turned := append(append(append([]byte{0xff, 0xd8}, app1...), block...), j.Bytes()[2:]...)
			chunk := append(append(binary.BigEndian.AppendUint32(nil, uint32(len(block)-6)), "eXIf"...), block[6:]...)
			ihdr := 8 + 25
			turnedPNG := append(append(append(bytes.Clone(p.Bytes()[:ihdr]), chunk...), 0, 0, 0, 0), p.Bytes()[ihdr:]...)
			want := [2]int{40, 20}
			if 5 <= o && o <= 8 {
				want = [2]int{20, 40}
			}
			for name, b := range map[string][]byte{"jpeg": turned, "png": turnedPNG} {
				w, h, _ := datauri.Size(b)
				if w != want[0] || h != want[1] {
					t.Errorf("%s with orientation %d (%v): %d × %d, want %v", name, o, order, w, h, want)
				}
				for n := range b {
					datauri.Size(b[:n]) // cut anywhere, it must not panic
				}
			}
		}
	}
}
