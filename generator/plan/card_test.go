package plan

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"freshet/generator/markup"
)

func TestMoney(t *testing.T) {
	for _, tt := range []struct {
		amount   float64
		currency string
		want     string
	}{
		{0, "INR", "₹0"}, {999, "INR", "₹999"}, {1000, "", "₹1,000"}, {100000, "INR", "₹1,00,000"}, {12345678, "inr", "₹1,23,45,678"},
		{1234567.5, "USD", "$1,234,567.50"}, {19.99, "EUR", "€19.99"}, {1000, "CHF", "CHF 1,000"},
	} {
		if got := money(tt.amount, tt.currency); got != tt.want {
			t.Errorf("money(%v, %q) = %q, want %q", tt.amount, tt.currency, got, tt.want)
		}
	}
}

func TestStandfirst(t *testing.T) {
	doc := &markup.Doc{HTML: []byte("<h2 id=\"a\">A</h2>\n<p>The rivers &amp; the <em>long</em>\nroad go on and on.</p>")}
	for _, tt := range []struct{ excerpt, want string }{
		{"The rivers & the long road…", ""}, {"The rivers & the long road go on and on.", ""}, {"About rivers", "About rivers"}, {"Two rivers", ""}, {"Two Rivers.", ""}, {"", ""},
	} {
		if got := standfirst("Two rivers", tt.excerpt, doc); got != tt.want {
			t.Errorf("standfirst(%q) = %q, want %q", tt.excerpt, got, tt.want)
		}
	}
}

func TestDirOf(t *testing.T) {
	for lang, want := range map[string]string{"en": "ltr", "ar": "rtl", "he-IL": "rtl", "ur": "rtl", "ur-Latn": "ltr", "hi": "ltr", "": "ltr"} {
		if got := dirOf(lang); got != want {
			t.Errorf("dirOf(%q) = %s, want %s", lang, got, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, s := range []string{"", "plain", `a "quoted" \ one`, "</script><!-- & -->", "tab\tnewline\nnul\x00", "नदी \u2028 \u2029 \U0001F30A", "bad \xff byte"} {
		b := appendJSON(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Errorf("appendJSON(%q) = %s: %v", s, b, err)
			continue
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); got != want {
			t.Errorf("appendJSON(%q) reads as %q", s, got)
		}
		if strings.ContainsAny(string(b), "<>&") {
			t.Errorf("appendJSON(%q) = %s, which means something to HTML", s, b)
		}
	}
}

func TestAppendXML(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"", ""}, {"plain", "plain"}, {`a "quoted" & <b>`, "a &#34;quoted&#34; &amp; &lt;b&gt;"}, {"tab\tline\nnul\x00\r", "tab\tline\nnul\uFFFD\uFFFD"},
		{"नदी \ufffe\uffff \U0001F30A", "नदी \uFFFD\uFFFD \U0001F30A"}, {"bad \xff byte", "bad \uFFFD byte"}, {"]]>", "]]&gt;"},
	} {
		got := string(appendXML([]byte("<t>"), tt.s))
		if got != "<t>"+tt.want {
			t.Errorf("appendXML(%q) = %q, want %q", tt.s, got, "<t>"+tt.want)
		}
		var text string
		if err := xml.Unmarshal([]byte(got+"</t>"), &text); err != nil {
			t.Errorf("appendXML(%q) = %q: %v", tt.s, got, err)
		}
	}
}
